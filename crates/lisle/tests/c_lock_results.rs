//! What C's locks answer, beside a program that has the C library's own.

mod util;

use std::ffi::{CStr, CString, c_char};
use std::path::PathBuf;
use std::process::Command;

use util::within;

/// Builds `fixtures/lock_results.c` and returns the path of the result.
fn build(name: &str, flags: &[&str]) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lock_results.c");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = path.join(format!("{name}-{}", std::process::id()));
    let mut command = Command::new("cc");
    command.args(["-O2", "-Wall", "-pthread"]).args(flags).arg("-o").arg(&path).arg(source);
    assert!(command.status().expect("cc, the C compiler").success());
    path
}

#[test]
fn as_from_the_c_library() {
    within("as_from_the_c_library", util::LIMIT, || {
        let program = build("lock_results", &["-DPROGRAM"]);
        let output = Command::new(&program).output().unwrap();
        std::fs::remove_file(program).unwrap();
        let expected = String::from_utf8(output.stdout).unwrap();
        assert!(expected.lines().count() > 500, "{expected}");
        let library = build("lock_results.so", &["-shared", "-fPIC"]);
        let path = CString::new(library.as_os_str().as_encoded_bytes()).unwrap();
        // SAFETY: a C string; the function has this type.
        let function: unsafe extern "C" fn(*mut c_char, usize) = unsafe {
            let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
            assert!(!handle.is_null());
            std::mem::transmute(libc::dlsym(handle, c"lock_results".as_ptr()))
        };
        std::fs::remove_file(library).unwrap();
        let says = move || {
            let mut text = vec![0_u8; 1 << 16];
            // SAFETY: the place and its length.
            unsafe { function(text.as_mut_ptr().cast(), text.len()) };
            CStr::from_bytes_until_nul(&text).unwrap().to_string_lossy().into_owned()
        };
        let on_thread = std::thread::spawn(says).join().unwrap();
        let coroutine = lisle::Builder::new().stack_size(1 << 20).spawn(says).unwrap();
        compare("thread", &expected, &on_thread);
        compare("coroutine", &expected, &coroutine.join().unwrap());
    });
}

fn compare(whose: &str, expected: &str, said: &str) {
    let mut context = Vec::new();
    for (number, (left, right)) in expected.lines().zip(said.lines()).enumerate() {
        context.push(left);
        let before = context[context.len().saturating_sub(8)..].join("\n");
        assert_eq!(left, right, "line {number} on the {whose}, after:\n{before}");
    }
    assert_eq!(expected.len(), said.len(), "{whose}");
}
