//! What the C library keeps per thread is the coroutine's: locale, resolver, buffers of texts. And
//! the calls that resolve names say the same on an OS thread and on a coroutine.
//!
//! The code is in `fixtures/state.c`.

mod util;

use std::ffi::{CStr, c_char, c_int};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use util::{Library, Lines, load, mixed, on_workers, twins_alone, waits};

const COUNT: usize = 24;

/// Suspends in one of several ways, and leaves `errno` alone.
extern "C" fn suspend() {
    static TURN: AtomicU32 = AtomicU32::new(0);
    match TURN.fetch_add(1, Ordering::Relaxed) % 8 {
        0 => std::thread::sleep(Duration::from_micros(50)),
        1 => lisle::blocking(|| ()),
        _ => std::thread::yield_now(),
    }
}

type Suspend = extern "C" fn();

/// Calls a function of type `(suspend, own, rounds) -> int` on many coroutines and OS threads at
/// once, twice, so that thread blocks are used again. It returns how much was wrong.
fn nothing_wrong(name: &'static str) {
    let library = Arc::new(load("state.c", &["-lresolv"]));
    for _ in 0..2 {
        let library = Arc::clone(&library);
        let wrong = mixed(COUNT, move |own| {
            // SAFETY: the functions named below have this type.
            unsafe {
                let f: extern "C" fn(Suspend, c_int, c_int) -> c_int = library.get(name);
                f(suspend, own as c_int, 30)
            }
        });
        assert_eq!(wrong, [0; COUNT], "{name}");
    }
}

#[test]
fn locales_of_ones_own() {
    on_workers(|| nothing_wrong("locales"));
}

#[test]
fn the_state_of_the_resolver() {
    on_workers(|| nothing_wrong("resolver"));
}

#[test]
fn texts_in_buffers_of_the_thread() {
    on_workers(|| nothing_wrong("texts"));
}

#[test]
fn functions_with_a_memory() {
    on_workers(|| nothing_wrong("memories"));
}

/// What the function writes, as lines.
fn written(library: &Library, write: impl FnOnce(&Library, *mut c_char, usize)) -> Lines {
    let mut text = vec![0_u8; 1 << 14];
    write(library, text.as_mut_ptr().cast(), text.len());
    let text = CStr::from_bytes_until_nul(&text).unwrap().to_str().unwrap();
    assert!(!text.is_empty());
    text.lines().map(str::to_owned).collect()
}

/// Functions of which the whole process has one memory, used by nobody else meanwhile.
#[test]
fn functions_with_a_memory_of_the_process() {
    twins_alone(|_| {
        written(&load("state.c", &["-lresolv"]), |library, text, len| {
            // SAFETY: the function has this type; a place of that length.
            unsafe {
                type Call = extern "C" fn(Suspend, *mut c_char, usize);
                library.get::<Call>("shared_memories")(suspend, text, len);
            }
        })
    });
}

/// `gethostbyname`, `getnameinfo` and `getaddrinfo`, with addresses and names that no server is
/// asked for. In a process of its own, since the answers of one lie in the memory of the process.
#[test]
fn names_and_addresses() {
    twins_alone(|_| {
        written(&load("state.c", &["-lresolv"]), |library, text, len| {
            // SAFETY: the function has this type; a place of that length.
            unsafe {
                library.get::<extern "C" fn(*mut c_char, usize)>("names")(text, len);
            }
        })
    });
}

/// Answers one question to a server of names; whether there was one.
fn answer(server: &UdpSocket) -> bool {
    let mut question = [0; 512];
    let Ok((len, asker)) = server.recv_from(&mut question) else { return false };
    // The name ends with a byte of zero, and then comes what is asked for.
    let end = 12 + question[12..len].iter().position(|byte| *byte == 0).unwrap() + 1;
    let kind = question[end + 1];
    let data: &[u8] = if kind == 1 { &[10, 1, 2, 3] } else { b"\x04name\x05lisle\x04test\0" };
    let mut text = question[..2].to_vec();
    // An answer, to one question, with one record.
    text.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    text.extend(&question[12..end + 4]);
    // The name as in the question, kind and class, a minute, the data.
    text.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
    text.extend(data);
    server.send_to(&text, asker).unwrap();
    true
}

/// Others run while a server of names is asked: one of the test's own, of which only the resolver
/// of the asking coroutine knows.
#[test]
fn asking_a_server_for_names() {
    twins_alone(|coroutine| {
        let library = load("state.c", &["-lresolv"]);
        let mut lines = Vec::new();
        for which in 0..3 {
            let server = UdpSocket::bind("127.0.0.1:0").unwrap();
            // A system that asks no server at all would be waited for in vain.
            server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let port = c_int::from(server.local_addr().unwrap().port());
            let mut text = [0 as c_char; 64];
            let least = Duration::from_millis(20);
            let call = || {
                // SAFETY: the function has this type; a place of that length, ended with NUL.
                unsafe {
                    type Ask = extern "C" fn(c_int, c_int, *mut c_char, usize) -> c_int;
                    let ask: Ask = library.get("ask");
                    let result = ask(which, port, text.as_mut_ptr(), text.len());
                    format!("{result} {:?}", CStr::from_ptr(text.as_ptr()))
                }
            };
            let (line, asked) = waits(coroutine, least, move || answer(&server), call);
            assert!(asked, "/etc/nsswitch.conf keeps the resolver from asking servers: {line}");
            lines.push(line);
        }
        assert_eq!(lines, ["0 \"10.1.2.3\"", "0 \"10.1.2.3\"", "0 \"name.lisle.test\""]);
        lines
    });
}
