//! [`lisle::spawn`], [`lisle::Builder`], [`lisle::JoinHandle`].

mod util;

use std::collections::HashSet;
use std::hint::black_box;
use std::io::ErrorKind;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use util::{everywhere, here, scaled, yield_until};

#[test]
fn join_returns_the_result() {
    everywhere(|| {
        assert_eq!(lisle::spawn(|| 6 * 7).join().unwrap(), 42);
        let text = lisle::spawn(|| vec![String::from("a"), String::from("b")]).join().unwrap();
        assert_eq!(text, ["a", "b"]);
    });
}

#[test]
fn join_returns_the_panic() {
    #[derive(Debug, PartialEq)]
    struct Payload(u32);
    everywhere(|| {
        let by_text = lisle::spawn(|| panic!("on purpose")).join().unwrap_err();
        assert_eq!(by_text.downcast_ref::<&str>(), Some(&"on purpose"));
        let formatted = lisle::spawn(|| panic!("on purpose {}", black_box(7))).join().unwrap_err();
        assert_eq!(formatted.downcast_ref::<String>().unwrap(), "on purpose 7");
        let value = lisle::spawn(|| panic::resume_unwind(Box::new(Payload(7)))).join().unwrap_err();
        assert_eq!(value.downcast_ref::<Payload>(), Some(&Payload(7)));
    });
}

#[test]
fn a_panic_ends_one_coroutine_only() {
    everywhere(|| {
        let mates: Vec<_> = (0..20)
            .map(|i| {
                lisle::spawn(move || {
                    lisle::yield_now();
                    assert!(i % 2 == 0, "on purpose");
                    i
                })
            })
            .collect();
        for (i, mate) in mates.into_iter().enumerate() {
            assert_eq!(mate.join().ok(), (i % 2 == 0).then_some(i));
        }
    });
}

#[test]
fn a_name_is_the_coroutines() {
    everywhere(|| {
        let named = lisle::Builder::new()
            .name("resolver".into())
            .spawn(|| lisle::current().name().map(str::to_owned))
            .unwrap();
        assert_eq!(named.coroutine().name(), Some("resolver"));
        assert_eq!(named.join().unwrap().as_deref(), Some("resolver"));
        let unnamed = lisle::spawn(|| lisle::current().name().map(str::to_owned));
        assert_eq!(unnamed.coroutine().name(), None);
        assert_eq!(unnamed.join().unwrap(), None);
    });
}

#[test]
fn a_name_with_nul_is_refused() {
    here(|| {
        let error = lisle::Builder::new().name("a\0b".into()).spawn(|| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn is_finished_tells_the_end() {
    everywhere(|| {
        let (release, released) = mpsc::channel::<()>();
        let waiter = lisle::spawn(move || released.recv().is_err());
        lisle::yield_now();
        assert!(!waiter.is_finished());
        drop(release);
        yield_until(|| waiter.is_finished());
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn a_dropped_handle_detaches() {
    everywhere(|| {
        let (tell, told) = mpsc::channel();
        drop(lisle::spawn(move || {
            lisle::yield_now();
            tell.send("alive").unwrap();
        }));
        assert_eq!(told.recv(), Ok("alive"));
    });
}

#[test]
fn the_result_of_a_detached_coroutine_is_dropped_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    everywhere(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (captured, result) = (Counted(Arc::clone(&drops)), Counted(Arc::clone(&drops)));
        drop(lisle::spawn(move || {
            drop(captured);
            result
        }));
        // The count goes when the last owner, which is the dropped result, is gone.
        yield_until(|| Arc::strong_count(&drops) == 1);
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn coroutines_spawn_coroutines() {
    fn tree(depth: usize) -> usize {
        if depth == 0 {
            return 1;
        }
        let branches = [0; 3].map(|_| lisle::spawn(move || tree(depth - 1)));
        1 + branches.into_iter().map(|branch| branch.join().unwrap()).sum::<usize>()
    }
    everywhere(|| assert_eq!(tree(4), 1 + 3 + 9 + 27 + 81));
}

#[test]
fn os_threads_spawn_and_join() {
    // The test itself is on an OS thread.
    assert_eq!(lisle::spawn(|| 1).join().unwrap(), 1);
    everywhere(|| {
        let handle = thread::spawn(|| lisle::spawn(|| 2)).join().unwrap();
        assert_eq!(handle.join().unwrap(), 2);
        let handle = lisle::spawn(|| lisle::spawn(|| 3));
        assert_eq!(thread::spawn(|| handle.join().unwrap().join().unwrap()).join().unwrap(), 3);
    });
}

#[test]
fn ten_thousand() {
    everywhere(|| {
        let count = scaled(10_000, 500);
        let all: Vec<_> = (0..count).map(|i| lisle::spawn(move || i)).collect();
        let sum: usize = all.into_iter().map(|one| one.join().unwrap()).sum();
        assert_eq!(sum, count * (count - 1) / 2);
    });
}

#[test]
fn identities_are_distinct_and_stay() {
    everywhere(|| {
        let all: Vec<_> = (0..100)
            .map(|_| {
                lisle::spawn(|| {
                    let ours = (thread::current().id(), lisle::current().id());
                    for _ in 0..50 {
                        lisle::yield_now();
                        assert_eq!((thread::current().id(), lisle::current().id()), ours);
                    }
                    ours
                })
            })
            .collect();
        let told: Vec<_> = all.iter().map(|one| one.coroutine().id()).collect();
        let seen: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(seen.iter().zip(&told).all(|(seen, told)| seen.1 == *told));
        let (threads, coroutines): (HashSet<_>, HashSet<_>) = seen.into_iter().unzip();
        assert_eq!((threads.len(), coroutines.len()), (100, 100));
        assert!(!threads.contains(&thread::current().id()));
    });
}

/// Goes down the stack by `bytes` and comes back; the depth it reached.
#[inline(never)]
fn descend(start: usize, bytes: usize) -> usize {
    let mut frame = [0_u8; 1024];
    let reached = start - black_box(&mut frame).as_ptr() as usize;
    if reached >= bytes { reached } else { descend(start, bytes).max(frame[7].into()) }
}

#[test]
fn the_stack_size_is_honoured() {
    everywhere(|| {
        for kilobytes in [256, 1024, 64 * 1024] {
            let size = kilobytes << 10;
            let deep = lisle::Builder::new()
                .stack_size(size)
                .spawn(move || {
                    let start = 0_u8;
                    descend(black_box(&start) as *const u8 as usize, size / 10 * 8)
                })
                .unwrap();
            assert!(deep.join().unwrap() >= size / 10 * 8);
        }
    });
}

#[test]
fn small_stack_sizes_are_rounded_up() {
    everywhere(|| {
        for size in [0, 1, 4096, 16 << 10, (16 << 10) + 1] {
            let small = lisle::Builder::new().stack_size(size).spawn(|| 5).unwrap();
            assert_eq!(small.join().unwrap(), 5);
        }
    });
}

#[test]
fn handles_and_coroutines_say_who_they_are() {
    here(|| {
        let (release, released) = mpsc::channel::<()>();
        let builder = lisle::Builder::new().name("debugged".into());
        let handle = builder.spawn(move || released.recv().unwrap_err()).unwrap();
        let text = format!("{handle:?} {:?}", handle.coroutine());
        assert_eq!(text.matches("debugged").count(), 2, "{text}");
        drop(release);
        handle.join().unwrap();
    });
}
