//! A program whose thread-locals are larger than a default stack.

mod util;

use std::cell::RefCell;

use util::here;

const LEN: usize = 300 << 10;

thread_local!(static BIG: RefCell<[u8; LEN]> = const { RefCell::new([7; LEN]) });

#[test]
fn coroutines_have_room_for_them_and_find_them_new() {
    here(|| {
        for _ in 0..50 {
            let one = lisle::spawn(|| {
                BIG.with_borrow_mut(|big| {
                    assert!(big.iter().all(|byte| *byte == 7));
                    lisle::yield_now();
                    big.fill(9);
                });
            });
            one.join().unwrap();
        }
    });
    // Room was made, rather than resorting to threads.
    if std::env::var("LISLE_MODE").is_err() {
        assert_eq!(lisle::runtime::mode(), lisle::runtime::Mode::Coroutines);
    }
}
