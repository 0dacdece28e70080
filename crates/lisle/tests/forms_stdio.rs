//! C's streams on an OS thread and on a coroutine: what they read and write, and that others run
//! while a call waits. The partners end the waits, so on one worker a call that blocks it is a
//! deadlock.

mod forms;
mod util;

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use forms::{Stream, c, pipe, read_all, stream, text, write};
use util::{Folder, a_moment, aside, in_child, told, twins, twins_alone};

type File = *mut libc::FILE;

unsafe extern "C" {
    fn open_memstream(place: *mut *mut c_char, len: *mut usize) -> File;
    fn getline(text: *mut *mut c_char, len: *mut usize, stream: File) -> isize;
    fn flockfile(stream: File);
    fn funlockfile(stream: File);
    fn fputws(text: *const libc::wchar_t, stream: File) -> c_int;
    fn fgetwc(stream: File) -> u32;
    fn fputwc(wide: libc::wchar_t, stream: File) -> u32;
    fn putw(word: c_int, stream: File) -> c_int;
    fn getw(stream: File) -> c_int;
    fn getc(stream: File) -> c_int;
    fn setlinebuf(stream: File);
}

/// A line by `fgets`.
fn line(from: Stream) -> String {
    let mut place = [0; 64];
    // SAFETY: a place of that length.
    let got = unsafe { libc::fgets(place.as_mut_ptr(), 64, from.get()) };
    if got.is_null() { "none".to_owned() } else { text(&place) }
}

#[test]
fn input_that_comes_in_parts() {
    twins(|coroutine| {
        let (from, to) = pipe();
        let partner = aside(coroutine, move || {
            for part in [&b"one\ntw"[..], b"o\nx", b"yz 12 3.5 wo", b"rd and", b" more\n", b"\x01"]
            {
                a_moment();
                write(to, part);
            }
            a_moment();
            write(to, b"\0\0\0rest");
            // SAFETY: used by nobody else.
            unsafe { libc::close(to) };
        });
        let input = stream(from, c"r");
        let mut lines = vec![line(input), line(input)];
        let (mut number, mut real, mut word) = (0, 0.0, [0; 16]);
        // SAFETY: live places.
        unsafe {
            lines.push(format!("{} {}", libc::fgetc(input.get()), getc(input.get())));
            lines.push(format!("{}", libc::ungetc(i32::from(b'!'), input.get())));
            lines.push(format!("{}", c!(get_by_macro(input.get() => File) -> c_int)));
            lines.push(format!("{}", c!(get_by_macro(input.get() => File) -> c_int)));
            let got = c!(scan_all(
                input.get() => File, &raw mut number => *mut c_int, &raw mut real => *mut f64,
                word.as_mut_ptr() => *mut c_char) -> c_int);
            lines.push(format!("{got} {number} {real} {}", text(&word)));
            let (mut place, mut len) = (null_mut(), 0);
            lines.push(told("getline", getline(&raw mut place, &raw mut len, input.get())));
            libc::free(place.cast());
            lines.push(format!("{}", getw(input.get())));
            let mut rest = [0; 16];
            let got = libc::fread(rest.as_mut_ptr().cast(), 1, 16, input.get());
            lines.push(format!("{got} {}", text(&rest)));
            let end = (libc::feof(input.get()) != 0, libc::ferror(input.get()));
            lines.push(format!("{end:?} {}", libc::fgetc(input.get())));
        }
        partner();
        lines.push(format!("{} {}", line(input), input.close()));
        lines
    });
}

#[test]
fn output_to_a_full_pipe() {
    twins(|coroutine| {
        let (from, to) = pipe();
        let output = stream(to, c"w");
        let partner = aside(coroutine, move || {
            a_moment();
            let all = read_all(from);
            let sum: usize = all.iter().map(|byte| usize::from(*byte)).sum();
            (all.len(), sum)
        });
        let mut lines = Vec::new();
        let big = vec![7_u8; 100_000];
        // SAFETY: live places, an open stream.
        unsafe {
            lines.push(format!("{}", libc::fwrite(big.as_ptr().cast(), 1, 100_000, output.get())));
            for number in 0..3000 {
                if c!(print_all(output.get() => File, number => c_int) -> c_int) < 0 {
                    lines.push(told("fprintf", -1));
                }
            }
            for _ in 0..3000 {
                libc::fputs(c"a line of text that is somewhat longer\n".as_ptr(), output.get());
                libc::fputc(i32::from(b'.'), output.get());
                c!(put_by_macro(output.get() => File, c"macro".as_ptr() => *const c_char) -> c_int);
            }
            lines.push(format!("{}", putw(9, output.get())));
            lines.push(told("fflush", libc::fflush(output.get()) as isize));
            lines.push(told("fseek", libc::fseek(output.get(), 0, libc::SEEK_SET) as isize));
        }
        lines.push(told("fclose", output.close() as isize));
        lines.push(format!("{:?}", partner()));
        // SAFETY: used by nobody else.
        unsafe { libc::close(from) };
        lines
    });
}

#[test]
fn unbuffered_and_by_line() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        for by_line in [false, true] {
            let (from, to) = pipe();
            let output = stream(to, c"w");
            let partner = aside(coroutine, move || {
                a_moment();
                read_all(from)
            });
            // SAFETY: an open stream.
            unsafe {
                if by_line {
                    setlinebuf(output.get());
                } else {
                    libc::setvbuf(output.get(), null_mut(), libc::_IONBF, 0);
                }
                for number in 0..2000 {
                    c!(print_all(output.get() => File, number => c_int) -> c_int);
                    libc::fputs(c"no end ".as_ptr(), output.get());
                }
            }
            lines.push(told("fclose", output.close() as isize));
            let all = partner();
            let ends = all.iter().filter(|byte| **byte == b'\n').count();
            lines.push(format!("{} {ends}", all.len()));
            // SAFETY: used by nobody else.
            unsafe { libc::close(from) };
        }
        lines
    });
}

#[test]
fn a_descriptor_by_format() {
    twins(|coroutine| {
        let (from, to) = pipe();
        let partner = aside(coroutine, move || {
            a_moment();
            read_all(from).len()
        });
        let mut sum = 0;
        for number in 0..9000 {
            // SAFETY: a descriptor of our own.
            sum += unsafe { c!(print_descriptor(to => c_int, number => c_int) -> c_int) };
        }
        // SAFETY: used by nobody else.
        let bad = unsafe {
            libc::close(to);
            c!(print_descriptor(-1 => c_int, 1 => c_int) -> c_int)
        };
        let bad = told("a bad descriptor", bad as isize);
        let read = partner();
        // SAFETY: as above.
        unsafe { libc::close(from) };
        vec![format!("{sum} {read}"), bad]
    });
}

#[test]
fn a_lock_that_another_has() {
    twins_alone(|coroutine| {
        let (from, to) = pipe();
        let output = stream(to, c"w");
        // SAFETY: an open stream; unlocked below.
        unsafe { flockfile(output.get()) };
        let second = aside(coroutine, move || {
            // SAFETY: an open stream.
            unsafe {
                libc::fputs(c"second\n".as_ptr(), output.get());
                flockfile(output.get());
                libc::fputs(c"third\n".as_ptr(), output.get());
                funlockfile(output.get());
                libc::ferror(output.get())
            }
        });
        a_moment();
        // SAFETY: as above.
        unsafe {
            libc::fputs(c"first\n".as_ptr(), output.get());
            a_moment();
            libc::fputs(c"first, too\n".as_ptr(), output.get());
            funlockfile(output.get());
        }
        let error = second();
        output.close();
        let all = String::from_utf8(read_all(from)).unwrap();
        // SAFETY: used by nobody else.
        unsafe { libc::close(from) };
        vec![format!("{error} {all}")]
    });
}

#[test]
fn a_reader_that_waits_with_the_lock() {
    twins_alone(|coroutine| {
        let (from, to) = pipe();
        let input = stream(from, c"r");
        let other = aside(coroutine, move || {
            a_moment();
            let third = aside(coroutine, move || {
                a_moment();
                write(to, b"late\n");
                // SAFETY: used by nobody else.
                unsafe { libc::close(to) };
            });
            // Waits for the lock, which the reader has until there is a line.
            // SAFETY: an open stream.
            let end = unsafe { libc::feof(input.get()) };
            third();
            end
        });
        let first = line(input);
        let lines = vec![first, format!("{}", other()), line(input)];
        input.close();
        lines
    });
}

#[test]
fn memory() {
    twins(|_| {
        let (mut place, mut len) = (null_mut(), 0_usize);
        // SAFETY: live places.
        unsafe {
            let memory = open_memstream(&raw mut place, &raw mut len);
            for number in 0..100 {
                c!(print_all(memory => File, number => c_int) -> c_int);
            }
            libc::fputs(c"end".as_ptr(), memory);
            let closed = libc::fclose(memory);
            let bytes = std::slice::from_raw_parts(place.cast::<u8>(), len).to_vec();
            libc::free(place.cast());
            let mut given = *b"12 2.5 word\nline\n";
            let input = libc::fmemopen(given.as_mut_ptr().cast(), given.len(), c"r".as_ptr());
            let (mut number, mut real, mut word) = (0, 0.0, [0; 16]);
            let got = c!(scan_all(
                input => File, &raw mut number => *mut c_int, &raw mut real => *mut f64,
                word.as_mut_ptr() => *mut c_char) -> c_int);
            let rest = (line(Stream(input)), line(Stream(input)), line(Stream(input)));
            libc::fclose(input);
            vec![
                format!("{closed} {}", String::from_utf8(bytes).unwrap()),
                format!("{got} {number} {real} {} {rest:?}", text(&word)),
            ]
        }
    });
}

unsafe extern "C" fn slow_write(cookie: *mut c_void, text: *const c_char, len: usize) -> isize {
    a_moment();
    // SAFETY: the test's list, under the stream's lock; the C library's text.
    unsafe {
        let all = &mut *cookie.cast::<Vec<u8>>();
        all.extend_from_slice(std::slice::from_raw_parts(text.cast::<u8>(), len));
    }
    len as isize
}

unsafe extern "C" fn slow_read(_: *mut c_void, place: *mut c_char, _: usize) -> isize {
    a_moment();
    // SAFETY: there is room for one.
    unsafe { *place = b'r' as c_char };
    1
}

#[test]
fn functions_of_a_cookie_may_wait() {
    twins(|coroutine| {
        let mut all: Vec<u8> = Vec::new();
        // SAFETY: live places; the stream is closed before the list ends.
        unsafe {
            let reads: unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> isize = slow_read;
            let writes: unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> isize =
                slow_write;
            let cookie = Stream(c!(open_cookie(
                (&raw mut all).cast() => *mut c_void, reads as *const c_void => *const c_void,
                writes as *const c_void => *const c_void) -> File));
            libc::setvbuf(cookie.get(), null_mut(), libc::_IONBF, 0);
            let partner = aside(coroutine, move || libc::fputs(c"two".as_ptr(), cookie.get()));
            libc::fputs(c"one".as_ptr(), cookie.get());
            partner();
            c!(print_all(cookie.get() => File, 5 => c_int) -> c_int);
            let read = libc::fgetc(cookie.get());
            let closed = cookie.close();
            let mut sorted = all.clone();
            sorted.sort_unstable();
            vec![format!("{read} {closed} {} {sorted:?}", all.len())]
        }
    });
}

#[test]
fn regular_files() {
    twins(|coroutine| {
        let folder = Folder::new("streams", coroutine);
        let path = folder.c("file");
        let mut lines = Vec::new();
        // SAFETY: C strings, live places, open streams.
        unsafe {
            let file = libc::fopen(path.as_ptr(), c"w+".as_ptr());
            for number in 0..5000 {
                c!(print_all(file => File, number => c_int) -> c_int);
                libc::fputc(i32::from(b'x'), file);
            }
            lines.push(format!("{}", libc::ftell(file)));
            lines.push(told("fseek", libc::fseek(file, 1000, libc::SEEK_SET) as isize));
            lines.push(line(Stream(file)));
            lines.push(format!("{}", libc::fputs(c"over".as_ptr(), file) >= 0));
            libc::rewind(file);
            let mut position: libc::fpos_t = std::mem::zeroed();
            lines.push(told("fgetpos", libc::fgetpos(file, &raw mut position) as isize));
            lines.push(line(Stream(file)));
            lines.push(told("fsetpos", libc::fsetpos(file, &raw const position) as isize));
            let big = vec![1_u8; 600_000];
            lines.push(format!("{}", libc::fwrite(big.as_ptr().cast(), 1000, 600, file)));
            libc::rewind(file);
            let mut back = vec![0_u8; 600_000];
            lines.push(format!("{}", libc::fread(back.as_mut_ptr().cast(), 1, 600_000, file)));
            lines.push(format!("{}", back == big));
            let other = folder.c("other");
            let again = libc::freopen(other.as_ptr(), c"w".as_ptr(), file);
            lines.push(format!("{}", again == file));
            lines.push(format!("{}", c!(print_all(file => File, 1 => c_int) -> c_int)));
            lines.push(told("fclose", libc::fclose(file) as isize));
            lines.push(std::fs::read_to_string(folder.at("other")).unwrap());
            // Not to be written to, not to be read from, not there.
            let file = libc::fopen(path.as_ptr(), c"r".as_ptr());
            lines.push(told("fputs", libc::fputs(c"x".as_ptr(), file) as isize));
            let printed = c!(print_all(file => File, 1 => c_int) -> c_int);
            lines.push(told("fprintf", printed as isize));
            libc::fclose(file);
            let file = libc::fopen(path.as_ptr(), c"a".as_ptr());
            lines.push(told("fgetc", libc::fgetc(file) as isize));
            libc::fclose(file);
        }
        lines
    });
}

#[test]
fn a_pipe_that_nobody_reads() {
    twins(|_| {
        let (from, to) = pipe();
        let output = stream(to, c"w");
        // SAFETY: used by nobody else; Rust programs ignore SIGPIPE.
        unsafe {
            libc::close(from);
            libc::fputs(c"lost".as_ptr(), output.get());
            let lines = vec![
                told("fflush", libc::fflush(output.get()) as isize),
                format!("{}", libc::ferror(output.get()) != 0),
                told("fprintf", {
                    libc::setvbuf(output.get(), null_mut(), libc::_IONBF, 0);
                    c!(print_all(output.get() => File, 1 => c_int) -> c_int) as isize
                }),
            ];
            output.close();
            lines
        }
    });
}

#[test]
fn wide_characters() {
    twins(|coroutine| {
        let (from, to) = pipe();
        let (back, into) = pipe();
        let partner = aside(coroutine, move || {
            let all = read_all(from);
            a_moment();
            write(into, b"12 3.5 xyz");
            // SAFETY: used by nobody else.
            unsafe { libc::close(into) };
            String::from_utf8_lossy(&all).len()
        });
        let (output, input) = (stream(to, c"w"), stream(back, c"r"));
        let text = "wide text\n\0".chars().map(|c| c as libc::wchar_t).collect::<Vec<_>>();
        let mut lines = Vec::new();
        // SAFETY: live places, open streams.
        unsafe {
            for number in 0..6000 {
                c!(print_wide(output.get() => File, number => c_int) -> c_int);
                fputws(text.as_ptr(), output.get());
                fputwc(i32::from(b'w'), output.get());
            }
            lines.push(format!("{}", libc::fputs(c"bytes".as_ptr(), output.get())));
            lines.push(format!("{}", output.close()));
            let (mut number, mut real) = (0, 0.0);
            let got = c!(scan_wide(
                input.get() => File, &raw mut number => *mut c_int,
                &raw mut real => *mut f64) -> c_int);
            lines.push(format!("{got} {number} {real} {}", fgetwc(input.get())));
            lines.push(format!("{}", fgetwc(input.get())));
        }
        lines.push(format!("{} {}", partner(), input.close()));
        // SAFETY: used by nobody else.
        unsafe { libc::close(from) };
        lines
    });
}

#[test]
fn the_standard_streams() {
    let said = |coroutine: bool| {
        let mode = if coroutine { "coroutines" } else { "threads" };
        let ended = in_child(&[("LISLE_MODE", mode)], || {
            let body = || {
                for number in 0..3 {
                    // SAFETY: functions without obligations.
                    unsafe {
                        c!(print_output(number => c_int) -> c_int);
                        c!(complain(number => c_int) -> ());
                        c!(log_line(number => c_int) -> ());
                    }
                }
            };
            lisle::spawn(body).join().unwrap();
        });
        ended.expect_return();
        (ended.stdout, ended.stderr)
    };
    let (threads, coroutines) = (said(false), said(true));
    assert_eq!(threads, coroutines);
    assert_eq!(coroutines.0.matches("printf 1.500\nputs\nc\n").count(), 3, "{}", coroutines.0);
    assert_eq!(coroutines.1.matches("perror: No such file or directory").count(), 3);
    assert_eq!(coroutines.1.matches("a line 2 1.5 text").count(), 1, "{}", coroutines.1);
}

/// The C library locks its list of streams while it flushes them all; who makes or closes one waits
/// for that, and must not hold up whoever ends it.
#[test]
fn streams_that_come_and_go_while_all_are_flushed() {
    twins_alone(|coroutine| {
        let folder = Folder::new("flush-all", coroutine);
        let (from, to) = pipe();
        write(to, &[1; 65536]);
        let output = stream(to, c"w");
        let path = util::c_path(&folder.at("file"));
        // SAFETY: C strings.
        let file = Stream(unsafe { libc::fopen(path.as_ptr(), c"w".as_ptr()) });
        // SAFETY: an open stream.
        unsafe { libc::fputs(c"more".as_ptr(), output.get()) };
        let flusher = aside(coroutine, || {
            // SAFETY: all streams.
            unsafe { libc::fflush(null_mut()) }
        });
        let reader = aside(coroutine, move || {
            a_moment();
            a_moment();
            read_all(from).len()
        });
        a_moment();
        let mut lines = vec![format!("{}", file.close())];
        // SAFETY: a descriptor of its own.
        lines.push(format!("{}", stream(unsafe { libc::dup(to) }, c"w").close()));
        lines.push(format!("{} {} {}", flusher(), output.close(), reader()));
        lines
    });
}

/// Each keeps the stream's lock over several calls, which wait for room in the pipe: a spare
/// carrier must be left for the one who has it.
#[test]
fn more_wait_for_a_stream_than_there_are_spare_carriers() {
    util::on_workers(|| {
        let (from, to) = pipe();
        let output = stream(to, c"w");
        let writers: Vec<_> = (0..util::scaled(1500, 50))
            .map(|_| {
                lisle::spawn(move || {
                    let line = [b'x'; 999];
                    for _ in 0..2 {
                        // SAFETY: an open stream, locked in between; as many bytes.
                        unsafe {
                            flockfile(output.get());
                            libc::fwrite(line.as_ptr().cast(), 1, 500, output.get());
                            libc::fwrite(line[500..].as_ptr().cast(), 1, 499, output.get());
                            libc::fputc(i32::from(b'\n'), output.get());
                            funlockfile(output.get());
                        }
                    }
                })
            })
            .collect();
        let count = writers.len();
        let reader = lisle::spawn(move || read_all(from));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(output.close(), 0);
        let all = reader.join().unwrap();
        assert_eq!(all.len(), count * 2 * 1000);
        // Nobody came in between.
        assert!(all.chunks(1000).all(|line| line[999] == b'\n'));
    });
}
