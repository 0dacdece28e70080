//! Telling of a coroutine that used up its stack.

use lisle_sys::mmap::PAGE;

use super::current;

/// Has overflows of coroutines' stacks reported, from now on.
pub(crate) fn watch() {
    // The call has no errors for this signal.
    let _ = lisle_fiber::watch_for_overflow(report);
}

/// See [`lisle_fiber::OverflowReport`].
fn report(address: usize) -> bool {
    let Some(task) = current::current() else { return false };
    let guard = task.stack.low..task.stack.low + PAGE;
    if !guard.contains(&address) {
        return false;
    }
    // SAFETY: the handler interrupted this coroutine.
    let name = unsafe { task.name() }.as_deref().unwrap_or("<unnamed>");
    let mut text = Line::default();
    text.add("\ncoroutine '").add(name).add("' (id ").number(task.id());
    text.add(") has overflowed its stack of ").number(task.stack.size as u64);
    text.add(" bytes; set a larger one with lisle::Builder::stack_size or LISLE_STACK_SIZE\n");
    text.add("fatal runtime error: stack overflow, aborting\n");
    text.write();
    true
}

/// Text of bounded length, put together without allocating.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Line { bytes: [0; 512], len: 0 }
    }
}

impl Line {
    fn add(&mut self, text: &str) -> &mut Self {
        // A long name is cut so that the rest has room.
        let text = &text.as_bytes()[..text.len().min(200)];
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text[..len]);
        self.len += len;
        self
    }

    fn number(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.add(std::str::from_utf8(&digits[start..]).unwrap_or("?"))
    }

    fn write(&self) {
        let args = [2, self.bytes.as_ptr() as usize, self.len, 0, 0, 0];
        // SAFETY: a live buffer of that length. If standard error is closed, so be it.
        let _ = unsafe { lisle_sys::syscall(libc::SYS_write, args) };
    }
}
