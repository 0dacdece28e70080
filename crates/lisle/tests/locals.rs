//! [`lisle::Scoped`]: values set for an extent, inherited by the coroutines started in it.

mod util;

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::thread;

use lisle::Scoped;
use util::{everywhere, scaled};

static NUMBER: Scoped<u64> = Scoped::new();
static NAME: Scoped<String> = Scoped::new();
static SHARED: Scoped<Arc<AtomicUsize>> = Scoped::new();

fn name() -> String {
    NAME.with(|name| name.cloned().unwrap_or_default())
}

#[test]
fn values_are_set_for_the_extent() {
    everywhere(|| {
        assert_eq!(NUMBER.get(), None);
        let inner = NUMBER.set(1, || {
            let hidden = NUMBER.set(2, || NAME.set("two".into(), || (NUMBER.get(), name())));
            assert_eq!((NUMBER.get(), name()), (Some(1), String::new()));
            hidden
        });
        assert_eq!(inner, (Some(2), "two".into()));
        assert_eq!((NUMBER.get(), NAME.get()), (None, None));
    });
}

#[test]
fn statics_that_look_alike_are_different() {
    static OTHER: Scoped<u64> = Scoped::new();
    everywhere(|| NUMBER.set(1, || OTHER.set(2, || assert_eq!(NUMBER.get(), Some(1)))));
}

#[test]
fn leaked_ones_do_as_well() {
    everywhere(|| {
        let own: [&'static Scoped<usize>; 3] = [0; 3].map(|_| &*Box::leak(Box::default()));
        let [one, two, three] = own;
        let seen = one.set(1, || two.set(2, || own.map(Scoped::get)));
        assert_eq!(seen, [Some(1), Some(2), None]);
        assert_eq!(three.set(3, || one.get()), None);
    });
}

#[test]
fn a_panic_restores_what_was_set() {
    everywhere(|| {
        util::hush_panics_on_purpose();
        NUMBER.set(1, || {
            let panicking = || NUMBER.set(2, || -> () { panic!("on purpose") });
            panic::catch_unwind(AssertUnwindSafe(panicking)).unwrap_err();
            assert_eq!(NUMBER.get(), Some(1));
        });
    });
}

#[test]
fn coroutines_inherit() {
    everywhere(|| {
        let outside = lisle::spawn(|| NUMBER.get());
        let (inside, later) = NUMBER.set(7, || {
            let inside = lisle::spawn(|| lisle::spawn(|| NUMBER.get()).join().unwrap());
            let (go, went) = mpsc::channel();
            let later = lisle::spawn(move || {
                went.recv().unwrap();
                NUMBER.get()
            });
            (inside, (go, later))
        });
        // It was taken when it was started, so it is there although the extent is over.
        later.0.send(()).unwrap();
        assert_eq!(outside.join().unwrap(), None);
        assert_eq!(inside.join().unwrap(), Some(7));
        assert_eq!(later.1.join().unwrap(), Some(7));
    });
}

#[test]
fn scopes_inherit() {
    everywhere(|| {
        let seen = NAME.set("outer".into(), || {
            lisle::scope(|s| {
                let before = s.spawn(name);
                let within = NAME.set("inner".into(), || s.spawn(|| s.spawn(name).join().unwrap()));
                [before, within].map(|one| one.join().unwrap())
            })
        });
        assert_eq!(seen, ["outer", "inner"]);
    });
}

#[test]
fn children_do_not_change_their_parents_values() {
    everywhere(|| {
        NUMBER.set(1, || {
            let child = lisle::spawn(|| NUMBER.set(2, || NUMBER.get()));
            assert_eq!(child.join().unwrap(), Some(2));
            assert_eq!(NUMBER.get(), Some(1));
        });
    });
}

#[test]
fn each_coroutine_has_its_own_among_many() {
    everywhere(|| {
        let all: Vec<_> = (0..scaled(1000, 100) as u64)
            .map(|i| {
                lisle::spawn(move || {
                    NUMBER.set(i, || {
                        for _ in 0..10 {
                            lisle::yield_now();
                            let seen = lisle::spawn(|| NUMBER.get()).join().unwrap();
                            assert_eq!((seen, NUMBER.get()), (Some(i), Some(i)));
                        }
                    });
                    assert_eq!(NUMBER.get(), None);
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn the_value_is_dropped_with_the_last_who_has_it() {
    everywhere(|| {
        let (go, went) = mpsc::channel::<()>();
        let value = Arc::new(AtomicUsize::new(0));
        let watched = Arc::downgrade(&value);
        let child = SHARED.set(value, || {
            lisle::spawn(move || {
                went.recv().unwrap();
                SHARED.with(|value| value.unwrap().fetch_add(1, Ordering::Relaxed))
            })
        });
        assert_eq!(Weak::strong_count(&watched), 1);
        go.send(()).unwrap();
        assert_eq!(child.join().unwrap(), 0);
        assert_eq!(Weak::strong_count(&watched), 0);
    });
}

#[test]
fn a_long_chain_of_coroutines_keeps_one_value() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    static LINK: Scoped<Counted> = Scoped::new();
    fn next(left: usize, alive: Arc<AtomicUsize>, ended: mpsc::Sender<usize>) {
        if left == 0 {
            return ended.send(alive.load(Ordering::Relaxed)).unwrap();
        }
        alive.fetch_add(1, Ordering::Relaxed);
        LINK.set(Counted(Arc::clone(&alive)), || {
            lisle::spawn(move || {
                // The one before is gone, but for what it has yet to do at its end.
                util::yield_until(|| alive.load(Ordering::Relaxed) <= 1);
                next(left - 1, alive, ended)
            })
        });
    }
    everywhere(|| {
        let (ended, told) = mpsc::channel();
        next(scaled(10_000, 200), Arc::default(), ended);
        assert_eq!(told.recv().unwrap(), 1);
    });
}

#[test]
fn a_value_may_use_values_when_it_is_dropped() {
    struct Last(mpsc::Sender<Option<u64>>);
    impl Drop for Last {
        fn drop(&mut self) {
            let inner = NUMBER.set(9, || NUMBER.get());
            self.0.send(inner).unwrap();
            self.0.send(NUMBER.get()).unwrap();
        }
    }
    static LAST: Scoped<std::sync::Mutex<Last>> = Scoped::new();
    everywhere(|| {
        let (tell, told) = mpsc::channel();
        NUMBER.set(1, || LAST.set(Last(tell).into(), || assert_eq!(NUMBER.get(), Some(1))));
        assert_eq!(told.iter().collect::<Vec<_>>(), [Some(9), Some(1)]);
    });
}

#[test]
fn os_threads_set_them_and_inherit_none() {
    everywhere(|| {
        let from_thread = thread::spawn(|| {
            NUMBER.set(3, || (NUMBER.get(), lisle::spawn(|| NUMBER.get()).join().unwrap()))
        });
        assert_eq!(from_thread.join().unwrap(), (Some(3), Some(3)));
        assert_eq!(NUMBER.set(1, || thread::spawn(|| NUMBER.get()).join().unwrap()), None);
    });
}

#[test]
fn destructors_of_thread_locals_see_none() {
    struct AtEnd(Option<mpsc::Sender<Option<u64>>>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            self.0.take().unwrap().send(NUMBER.get()).unwrap();
        }
    }
    thread_local! {
        static AT_END: std::cell::RefCell<Option<AtEnd>> = const { std::cell::RefCell::new(None) };
    }
    everywhere(|| {
        let (tell, told) = mpsc::channel();
        let child = NUMBER.set(1, || {
            lisle::spawn(|| {
                AT_END.replace(Some(AtEnd(Some(tell))));
                NUMBER.get()
            })
        });
        assert_eq!(child.join().unwrap(), Some(1));
        assert_eq!(told.recv().unwrap(), None);
    });
}
