//! Whether a program's threads can be coroutines, as far as its file tells.

use std::env;
use std::ffi::{CString, OsStr};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use object::elf::{self, FileHeader64, PT_INTERP, PT_NOTE, ProgramHeader64, SHT_DYNSYM, STT_FUNC};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, Sym};
use object::{LittleEndian, ReadCache, ReadRef};

/// What is to become of a program.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can have the library.
    Fit,
    /// It is to run as it is, and why.
    Unfit(String),
    /// It is not to run, and why.
    Refused(String),
}

/// The file that would be executed under that name.
pub(super) fn find(name: &OsStr) -> Option<PathBuf> {
    let is_file = |path: &PathBuf| path.metadata().is_ok_and(|data| !data.is_dir());
    if name.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(is_file);
    }
    let is_executable = |path: &PathBuf| {
        path.metadata().is_ok_and(|data| !data.is_dir() && data.permissions().mode() & 0o111 != 0)
    };
    // What execvp(3) takes where there is none.
    let folders = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut candidates = env::split_paths(&folders).map(|folder| folder.join(name));
    candidates.find(is_executable)
}

/// Looks at a program; at a script's interpreter, since that is what is executed.
pub(super) fn judge(path: &Path) -> Verdict {
    /// As many as the kernel follows.
    const SCRIPTS: usize = 5;
    let mut path = path.to_owned();
    for _ in 0..SCRIPTS {
        match interpreter_of(&path) {
            Some(interpreter) => path = interpreter,
            None => break,
        }
    }
    let Ok(data) = path.metadata() else { return Verdict::Fit };
    if let Some(reason) = gains_rights(&path, &data) {
        return Verdict::Refused(format!(
            "{} {reason}, and the loader preloads nothing into such a program; it runs without \
             `lisle run`",
            path.display()
        ));
    }
    // What is no program is left to the system, which says so, or to a shell.
    let Ok(file) = File::open(&path) else { return Verdict::Fit };
    let cache = ReadCache::new(file);
    match unfitness(&cache) {
        Some(reason) => Verdict::Unfit(reason),
        None => Verdict::Fit,
    }
}

/// The program that a script's first line names.
fn interpreter_of(path: &Path) -> Option<PathBuf> {
    /// What the kernel reads of it.
    const LINE: u64 = 256;
    let mut start = Vec::new();
    File::open(path).ok()?.take(LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t'));
    words.find(|word| !word.is_empty()).map(|word| PathBuf::from(OsStr::from_bytes(word)))
}

/// Why a program has more rights than who starts it, if so.
fn gains_rights(path: &Path, data: &Metadata) -> Option<&'static str> {
    // SAFETY: no arguments.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    let mode = data.permissions().mode();
    if mode & libc::S_ISUID != 0 && data.uid() != user {
        return Some("is set-user-ID");
    }
    let by_group = libc::S_ISGID | libc::S_IXGRP;
    if mode & by_group == by_group && data.gid() != group {
        return Some("is set-group-ID");
    }
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let name = c"security.capability".as_ptr();
    // SAFETY: C strings; no place is given, so only the size is told.
    let size = unsafe { libc::getxattr(path.as_ptr(), name, std::ptr::null_mut(), 0) };
    (size > 0 && user != 0).then_some("has capabilities of its own")
}

/// Why a file cannot have the library; none also for what is no program.
fn unfitness<'data, R: ReadRef<'data>>(file: R) -> Option<String> {
    let ident = file.read_bytes_at(0, 20).ok()?;
    if !ident.starts_with(&elf::ELFMAG) {
        return None;
    }
    let machine = u16::from_le_bytes([ident[18], ident[19]]);
    if ident[4] != elf::ELFCLASS64 || machine != elf::EM_X86_64 {
        return Some("it is for another processor than x86-64".to_owned());
    }
    match of_program(file) {
        Ok(reason) => reason,
        Err(error) => Some(format!("its file makes no sense: {error}")),
    }
}

/// As [`unfitness`], of a program for this processor.
fn of_program<'data, R: ReadRef<'data>>(file: R) -> object::read::Result<Option<String>> {
    let header = FileHeader64::<LittleEndian>::parse(file)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, file)?;
    let Some(interpreter) = segments.iter().find(|s| s.p_type(endian) == PT_INTERP) else {
        return Ok(Some(
            "it is statically linked, and nothing can be preloaded into it".to_owned(),
        ));
    };
    let loader = interpreter.data(endian, file).unwrap_or_default();
    let loader = String::from_utf8_lossy(loader.strip_suffix(b"\0").unwrap_or(loader));
    if !loader.contains("ld-linux-x86-64") {
        return Ok(Some(format!("its C library is not glibc: its loader is {loader}")));
    }
    let mut notes = segments.iter().filter(|segment| segment.p_type(endian) == PT_NOTE);
    if notes.any(|segment| is_go(endian, segment, file)) {
        return Ok(Some("it is made by Go, which has coroutines of its own".to_owned()));
    }
    let sections = header.sections(endian, file)?;
    if let Some((entries, link)) = sections.dynamic(endian, file)? {
        let strings = sections.strings(endian, file, link)?;
        for entry in entries.iter().filter(|entry| entry.tag32(endian) == Some(elf::DT_NEEDED)) {
            let name = strings.get(entry.d_val(endian) as u32).unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            if let Some(what) = known(&name) {
                return Ok(Some(format!("it needs {name}: it is {what}")));
            }
        }
    }
    let symbols = sections.symbols(endian, file, SHT_DYNSYM)?;
    let defines = |wanted: &[u8]| {
        symbols.iter().any(|symbol| {
            symbol.st_type() == STT_FUNC
                && !symbol.is_undefined(endian)
                && symbol.name(endian, symbols.strings()) == Ok(wanted)
        })
    };
    Ok([b"pthread_create".as_slice(), b"pthread_cond_wait", b"syscall"]
        .into_iter()
        .find(|name| defines(name))
        .map(|name| {
            let name = String::from_utf8_lossy(name);
            format!(
                "it defines {name} itself: Lisle is linked into it, or a sanitizer or the like is"
            )
        }))
}

/// Whether one of the segment's notes is that of Go's linker. Other linkers put several into one.
fn is_go<'data, R: ReadRef<'data>>(
    endian: LittleEndian,
    segment: &ProgramHeader64<LittleEndian>,
    file: R,
) -> bool {
    let Ok(Some(mut notes)) = segment.notes(endian, file) else { return false };
    while let Ok(Some(note)) = notes.next() {
        if note.name() == b"Go" {
            return true;
        }
    }
    false
}

/// What a library is that must have OS threads.
fn known(library: &str) -> Option<&'static str> {
    let all = [
        ("libjli.so", "the starter of a Java virtual machine"),
        ("libjvm.so", "a Java virtual machine"),
        ("libcoreclr", "the .NET runtime"),
        ("libhostfxr", "the starter of the .NET runtime"),
        ("libmonosgen", "the Mono runtime"),
        ("libgo.so", "the runtime of gccgo"),
        ("libasan.so", "a sanitizer"),
        ("libtsan.so", "a sanitizer"),
        ("liblsan.so", "a sanitizer"),
    ];
    all.into_iter().find(|(begin, _)| library.starts_with(begin)).map(|(_, what)| what)
}
