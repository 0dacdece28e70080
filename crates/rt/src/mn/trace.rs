//! Where a coroutine is, found out from outside: for warnings.
//!
//! Whoever holds a worker may hold anything else, too: the loader's lock, the allocator's. So the
//! monitor asks nobody. The kernel tells where the OS thread was interrupted, or where it waits,
//! and copies the stack; what looks like a return address there, a word that points behind a call
//! instruction in executable memory, is taken for one.
//!
//! Some of these may be left behind by calls that have returned. For finding out who hogs a worker
//! that does.
//!
//! Addresses are told as objects and distances from their beginnings, which `addr2line` turns into
//! functions and lines.
//!
//! # Rejected
//!
//! 1. *The unwinder, in a signal's handler.* It may have been interrupted itself, or its lock be
//!    held.
//! 2. *Frame pointers.* Most programs have none.
//! 3. *Names of functions.* Whoever knows them takes locks and allocates.

use std::sync::atomic::{AtomicUsize, Ordering};

use lisle_sys::{fd, mmap};

use super::line::Line;

/// Objects that are known at most, frames that are told, bytes of stack that are looked at.
const OBJECTS: usize = 96;
const FRAMES: usize = 24;
const BYTES: usize = 16 << 10;
/// The longest call instruction that is recognized.
const CALL: usize = 7;
/// Bytes of a name that are kept.
const NAME: usize = 40;

/// Where code was interrupted, for the monitor: written by the handler of a signal, one word after
/// the other. Nobody acts upon them but for telling, so they need no order.
#[derive(Debug, Default)]
pub(crate) struct Place {
    stack: AtomicUsize,
    instruction: AtomicUsize,
}

impl Place {
    /// Notes it. Allowed in handlers.
    #[inline]
    pub(crate) fn note(&self, stack: usize, instruction: usize) {
        self.instruction.store(instruction, Ordering::Relaxed);
        self.stack.store(stack, Ordering::Relaxed);
    }

    /// What was noted since this was called last: stack pointer and instruction pointer.
    pub(crate) fn take(&self) -> Option<(usize, usize)> {
        let stack = self.stack.swap(0, Ordering::Relaxed);
        (stack != 0).then(|| (stack, self.instruction.load(Ordering::Relaxed)))
    }
}

/// Memory for tracing, made when warnings are asked for.
#[derive(Debug)]
pub(crate) struct Trace {
    objects: [Object; OBJECTS],
    count: usize,
    text: [u8; 4096],
    stack: [u8; BYTES],
}

/// A piece of executable memory.
#[derive(Clone, Copy, Debug)]
struct Object {
    start: usize,
    end: usize,
    /// Where the file begins in memory.
    base: usize,
    name: [u8; NAME],
}

impl Trace {
    pub(crate) fn new() -> Box<Self> {
        let none = Object { start: 0, end: 0, base: 0, name: [0; NAME] };
        Box::new(Trace { objects: [none; OBJECTS], count: 0, text: [0; 4096], stack: [0; BYTES] })
    }

    /// Tells where a coroutine is whose stack ends at `top`.
    pub(crate) fn tell(&mut self, (stack, instruction): (usize, usize), top: usize) {
        self.learn();
        let mut told = 0;
        if let Some(object) = self.object_of(instruction) {
            tell(object, instruction);
            told += 1;
        }
        let wanted = top.saturating_sub(stack).min(BYTES);
        let found = mmap::peek(stack, &mut self.stack[..wanted]);
        let mut last = instruction;
        for word in self.stack[..found].chunks_exact(8) {
            let word = usize::from_ne_bytes(word.try_into().expect("eight bytes"));
            if word == last {
                continue;
            }
            if let Some(object) = self.object_of(word)
                && follows_call(word)
            {
                tell(object, word);
                last = word;
                told += 1;
                if told == FRAMES {
                    return;
                }
            }
        }
    }

    fn object_of(&self, address: usize) -> Option<&Object> {
        self.objects[..self.count].iter().find(|o| (o.start..o.end).contains(&address))
    }

    /// Reads the kernel's list of what is mapped.
    fn learn(&mut self) {
        self.count = 0;
        let Some(file) = fd::open_to_read(b"/proc/self/maps\0") else { return };
        let (mut kept, mut base) = (0, (0, [0; NAME]));
        while let Some(read @ 1..) = fd::read_plain(file, &mut self.text[kept..]) {
            let text = &self.text[..kept + read];
            let Some(end) = text.iter().rposition(|&byte| byte == b'\n') else { break };
            for line in text[..end].split(|&byte| byte == b'\n') {
                let Some(mapping) = Mapping::parse(line) else { continue };
                if mapping.name != base.1 || mapping.offset == 0 {
                    base = (mapping.start, mapping.name);
                }
                if mapping.executable && self.count < OBJECTS {
                    let Mapping { start, end, name, .. } = mapping;
                    self.objects[self.count] = Object { start, end, base: base.0, name };
                    self.count += 1;
                }
            }
            let rest = end + 1..kept + read;
            kept = rest.len();
            self.text.copy_within(rest, 0);
        }
        fd::close(file);
    }
}

/// Writes a line of the trace.
fn tell(object: &Object, address: usize) {
    let len = object.name.iter().position(|&byte| byte == 0).unwrap_or(NAME);
    let name = std::str::from_utf8(&object.name[..len]).unwrap_or("?");
    let mut line = Line::default();
    line.add("lisle:     ").add(if name.is_empty() { "?" } else { name });
    line.add("+0x").hexadecimal(address - object.base).add("\n").write_if_room();
}

/// A line of the list.
struct Mapping {
    start: usize,
    end: usize,
    executable: bool,
    offset: usize,
    name: [u8; NAME],
}

impl Mapping {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace();
        let number = |text: &str| usize::from_str_radix(text, 16).ok();
        let (start, end) = words.next()?.split_once('-')?;
        let executable = words.next()?.contains('x');
        let offset = number(words.next()?)?;
        let path = words.nth(2).unwrap_or("");
        let file = path.rsplit('/').next().unwrap_or(path).as_bytes();
        let mut name = [0; NAME];
        name.iter_mut().zip(file).for_each(|(place, byte)| *place = *byte);
        Some(Mapping { start: number(start)?, end: number(end)?, executable, offset, name })
    }
}

/// Whether the instruction before this address is a call.
fn follows_call(address: usize) -> bool {
    let mut code = [0; CALL];
    mmap::peek(address - CALL, &mut code) == CALL && ends_in_call(&code)
}

/// Whether the last of these instructions is a call: `E8` and a distance, or `FF /2`, whose length
/// is that of its operand.
fn ends_in_call(code: &[u8; CALL]) -> bool {
    let direct = code[CALL - 5] == 0xe8;
    direct
        || (2..=CALL).any(|len| {
            let (opcode, operand) = (code[CALL - len], code[CALL - len + 1]);
            opcode == 0xff && operand >> 3 & 7 == 2 && len == length_of_call(operand)
        })
}

/// The length of `FF /2` with this operand.
fn length_of_call(operand: u8) -> usize {
    let scaled = usize::from(operand & 7 == 4);
    match operand >> 6 {
        0 if operand & 7 == 5 => 6,
        0 => 2 + scaled,
        1 => 3 + scaled,
        2 => 6 + scaled,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_recognized() {
        // call +1; call rax; call [rip+4]; call [rax+8]; call [rsp+0x100]; call [rax*8+0]
        assert!(ends_in_call(&[0x90, 0x90, 0xe8, 1, 0, 0, 0]));
        assert!(ends_in_call(&[0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0]));
        assert!(ends_in_call(&[0x90, 0xff, 0x15, 4, 0, 0, 0]));
        assert!(ends_in_call(&[0x90, 0x90, 0x90, 0x90, 0xff, 0x50, 8]));
        assert!(ends_in_call(&[0xff, 0x94, 0x24, 0, 1, 0, 0]));
        // push rax and the like; jmp rax.
        assert!(!ends_in_call(&[0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x50]));
        assert!(!ends_in_call(&[0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0]));
    }

    #[test]
    fn mappings_are_parsed() {
        let line = b"7f00-7f80 r-xp 00001000 fe:00 42   /usr/lib/libthing.so.1";
        let mapping = Mapping::parse(line).unwrap();
        assert_eq!((mapping.start, mapping.end, mapping.offset), (0x7f00, 0x7f80, 0x1000));
        assert!(mapping.executable && mapping.name.starts_with(b"libthing.so.1\0"));
        assert!(Mapping::parse(b"rubbish").is_none());
        assert_eq!(Mapping::parse(b"1-2 rw-p 0 0:0 0").unwrap().name, [0; NAME]);
    }

    #[test]
    fn this_function_is_found() {
        let mut trace = Trace::new();
        trace.learn();
        let own = this_function_is_found as *const () as usize;
        let object = trace.object_of(own).expect("the program is mapped");
        assert!(object.base <= object.start && object.name[0] != 0);
    }
}
