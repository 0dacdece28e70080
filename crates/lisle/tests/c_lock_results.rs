//! What C's locks answer, beside a program that has the C library's own.

mod util;

use std::ffi::{CStr, c_char};
use std::process::Command;

use util::{load, program, within};

#[test]
fn as_from_the_c_library() {
    within("as_from_the_c_library", util::LIMIT, || {
        let output = Command::new(program("lock_results.c")).output().unwrap();
        let expected = String::from_utf8(output.stdout).unwrap();
        assert!(expected.lines().count() > 500, "{expected}");
        let library = load("lock_results.c", &[]);
        // SAFETY: the function has this type, and the library stays.
        let function: extern "C" fn(*mut c_char, usize) = unsafe { library.get("lock_results") };
        let says = move || {
            let mut text = vec![0_u8; 1 << 18];
            function(text.as_mut_ptr().cast(), text.len());
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
