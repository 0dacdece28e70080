//! [`lisle::scope`]: coroutines that borrow, all ended when the scope is.

mod util;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use util::{everywhere, here};

#[test]
fn coroutines_borrow() {
    everywhere(|| {
        let numbers = [1, 2, 3, 4];
        let mut total = 0;
        let lengths = lisle::scope(|s| {
            let left = s.spawn(|| numbers[..2].iter().sum::<i32>());
            let right = s.spawn(|| numbers[2..].iter().sum::<i32>());
            s.spawn(|| total += 1);
            (left.join().unwrap(), right.join().unwrap())
        });
        assert_eq!(lengths, (3, 7));
        assert_eq!(total, 1);
    });
}

#[test]
fn chunks_are_changed_in_place() {
    everywhere(|| {
        let mut squares: Vec<usize> = (0..1000).collect();
        lisle::scope(|s| {
            for chunk in squares.chunks_mut(10) {
                s.spawn(move || {
                    for number in chunk {
                        *number *= *number;
                        lisle::yield_now();
                    }
                });
            }
        });
        assert!(squares.iter().enumerate().all(|(i, square)| *square == i * i));
    });
}

#[test]
fn the_scope_waits_for_all() {
    everywhere(|| {
        let ended = AtomicUsize::new(0);
        lisle::scope(|s| {
            for i in 0..50 {
                let ended = &ended;
                s.spawn(move || {
                    for _ in 0..i {
                        lisle::yield_now();
                    }
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(ended.load(Ordering::Relaxed), 50);
    });
}

#[test]
fn coroutines_of_a_scope_spawn_into_it() {
    everywhere(|| {
        let ran = AtomicUsize::new(0);
        lisle::scope(|s| {
            s.spawn(|| {
                s.spawn(|| {
                    s.spawn(|| ran.fetch_add(1, Ordering::Relaxed));
                    ran.fetch_add(1, Ordering::Relaxed)
                });
                ran.fetch_add(1, Ordering::Relaxed)
            });
        });
        assert_eq!(ran.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn scopes_nest() {
    everywhere(|| {
        let outer = 1;
        let sum = lisle::scope(|s| {
            let handle = s.spawn(|| {
                let inner = 10;
                lisle::scope(|s| {
                    let handle = s.spawn(|| outer + inner);
                    handle.join().unwrap()
                })
            });
            handle.join().unwrap() + outer
        });
        assert_eq!(sum, 12);
    });
}

/// The text of the panic that `f` ends with.
fn panic_of(f: impl FnOnce()) -> String {
    let payload = panic::catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    payload.downcast_ref::<&str>().expect("a text").to_string()
}

#[test]
fn a_panic_of_the_body_waits_for_the_siblings() {
    everywhere(|| {
        let ended = AtomicUsize::new(0);
        let text = panic_of(|| {
            lisle::scope(|s| {
                for _ in 0..10 {
                    s.spawn(|| {
                        lisle::sleep(std::time::Duration::from_millis(5));
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                }
                panic!("on purpose, by the body");
            })
        });
        assert_eq!(text, "on purpose, by the body");
        assert_eq!(ended.load(Ordering::Relaxed), 10);
    });
}

#[test]
fn a_panic_of_an_unjoined_coroutine_is_raised_at_the_end() {
    everywhere(|| {
        util::hush_panics_on_purpose();
        let ended = AtomicUsize::new(0);
        let text = panic_of(|| {
            lisle::scope(|s| {
                s.spawn(|| panic!("on purpose"));
                for _ in 0..10 {
                    s.spawn(|| {
                        lisle::yield_now();
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                }
            })
        });
        assert_eq!(text, "a scoped coroutine panicked");
        assert_eq!(ended.load(Ordering::Relaxed), 10);
    });
}

#[test]
fn a_joined_panic_is_the_joiners() {
    everywhere(|| {
        let joined = lisle::scope(|s| s.spawn(|| panic!("on purpose")).join().is_err());
        assert!(joined);
    });
}

#[test]
fn results_may_borrow() {
    everywhere(|| {
        let words = String::from("a strong line");
        let longest = lisle::scope(|s| {
            s.spawn(|| words.split(' ').max_by_key(|word| word.len()).unwrap()).join().unwrap()
        });
        assert_eq!(longest, "strong");
    });
}

#[test]
fn an_unjoined_result_is_dropped_within_the_scope() {
    struct Borrows<'a>(&'a Mutex<Vec<u32>>);
    impl Drop for Borrows<'_> {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(1);
        }
    }
    everywhere(|| {
        let dropped = Mutex::new(Vec::new());
        lisle::scope(|s| {
            for _ in 0..20 {
                s.spawn(|| Borrows(&dropped));
            }
        });
        assert_eq!(dropped.into_inner().unwrap().len(), 20);
    });
}

#[test]
fn os_threads_have_scopes_too() {
    let on_thread = |from: usize| {
        let numbers = [from, from + 1];
        lisle::scope(|s| s.spawn(|| numbers.iter().sum::<usize>()).join().unwrap())
    };
    assert_eq!(on_thread(1), 3);
    here(move || assert_eq!(thread::spawn(move || on_thread(5)).join().unwrap(), 11));
}

#[test]
fn builders_spawn_into_scopes() {
    everywhere(|| {
        let text = String::from("borrowed");
        lisle::scope(|s| {
            let builder = lisle::Builder::new().name("scoped".into()).stack_size(512 << 10);
            let handle = builder
                .spawn_scoped(s, || (text.len(), lisle::current().name().map(str::to_owned)))
                .unwrap();
            assert_eq!(handle.coroutine().name(), Some("scoped"));
            util::yield_until(|| handle.is_finished());
            assert_eq!(handle.join().unwrap(), (8, Some("scoped".into())));
        });
    });
}

#[test]
fn a_refused_coroutine_does_not_hold_the_scope() {
    here(|| {
        lisle::scope(|s| {
            lisle::Builder::new().name("a\0b".into()).spawn_scoped(s, || ()).unwrap_err();
        });
    });
}
