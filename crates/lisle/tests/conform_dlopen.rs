//! Libraries that are loaded while coroutines exist: their thread-locals are everybody's own,
//! whichever model they were built for, and their constructors may suspend.

mod util;

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use util::{Library, in_child, load, on_workers, scaled, twins, waits_for};

/// With static thread-local storage, which the loader has to find room for in threads that exist
/// already, and with the usual kind, which is made when it is first used.
const MODELS: [&[&str]; 2] = [&["-ftls-model=initial-exec"], &["-ftls-model=global-dynamic"]];

fn is_fresh(library: &Library) -> bool {
    // SAFETY: the function has this type.
    unsafe { library.get::<extern "C" fn() -> c_int>("fresh")() == 1 }
}

fn set(library: &Library, value: c_int) {
    // SAFETY: the function has this type.
    unsafe { library.get::<extern "C" fn(c_int)>("set")(value) }
}

fn is(library: &Library, value: c_int) -> bool {
    // SAFETY: the function has this type.
    unsafe { library.get::<extern "C" fn(c_int) -> c_int>("is")(value) == 1 }
}

/// Finds fresh values, sets them, and finds them again however often it suspends.
fn has_its_own(library: &Library, value: c_int) -> bool {
    let fresh = is_fresh(library);
    set(library, value);
    fresh
        && (0..20).all(|step| {
            match step % 4 {
                0 => lisle::blocking(|| ()),
                1 => std::thread::sleep(Duration::from_micros(20)),
                _ => std::thread::yield_now(),
            }
            is(library, value)
        })
}

/// Coroutines that wait for a library that is loaded later.
fn waiting(count: usize) -> Vec<(mpsc::Sender<Arc<Library>>, lisle::JoinHandle<bool>)> {
    let start = |own| {
        let (give, take) = mpsc::channel::<Arc<Library>>();
        let task = util::spawn_running(move || has_its_own(&take.recv().unwrap(), own as c_int));
        (give, task)
    };
    (0..count).map(start).collect()
}

fn give(library: &Arc<Library>, to: Vec<(mpsc::Sender<Arc<Library>>, lisle::JoinHandle<bool>)>) {
    for (give, _) in &to {
        give.send(Arc::clone(library)).unwrap();
    }
    assert!(to.into_iter().all(|(_, task)| task.join().unwrap()));
}

#[test]
fn thread_locals_of_a_library_that_a_coroutine_loads() {
    on_workers(|| {
        for model in MODELS {
            // Some that have ended, on whose stacks others will run.
            let ended: Vec<_> = (0..50).map(|own| lisle::spawn(move || own)).collect();
            assert_eq!(ended.into_iter().map(|one| one.join().unwrap()).sum::<i32>(), 1225);
            let before = waiting(scaled(40, 10));
            let library = lisle::spawn(move || Arc::new(load("plugin.c", model))).join().unwrap();
            assert!(has_its_own(&library, 7));
            give(&library, before);
            // New ones, and those that come after them.
            for _ in 0..2 {
                give(&library, waiting(scaled(60, 10)));
            }
            assert!(is(&library, 7));
            let theirs = Arc::clone(&library);
            assert!(std::thread::spawn(move || has_its_own(&theirs, 9)).join().unwrap());
        }
    });
}

/// The runtime starts when the library is there.
fn there_before(model: &'static [&'static str], workers: &str) {
    let library = Arc::new(load("plugin.c", model));
    set(&library, 5);
    let theirs = Arc::clone(&library);
    let all = move || {
        for _ in 0..2 {
            give(&theirs, waiting(scaled(60, 10)));
        }
    };
    lisle::runtime::Builder::new().workers(workers.parse().unwrap()).install().unwrap();
    lisle::spawn(all).join().unwrap();
    assert!(is(&library, 5));
}

#[test]
fn static_thread_locals_of_a_library_that_was_there_before() {
    in_child(&[], || there_before(MODELS[0], "1")).expect_return();
}

#[test]
fn thread_locals_of_a_library_that_was_there_before() {
    in_child(&[], || there_before(MODELS[1], "3")).expect_return();
}

/// Loaded, used, unloaded, again and again: nobody sees what was before.
#[test]
fn libraries_that_come_and_go() {
    on_workers(|| {
        for round in 0..20 {
            for model in MODELS {
                let before = waiting(5);
                let library = Arc::new(load("plugin.c", model));
                assert!(has_its_own(&library, round));
                give(&library, before);
                give(&library, waiting(5));
                let library = Arc::into_inner(library).expect("all who used it have ended");
                // SAFETY: nothing of it is used any more.
                unsafe { library.close() };
            }
        }
    });
}

/// Unloaded while coroutines end, whose blocks are made new meanwhile.
#[test]
fn libraries_that_go_while_coroutines_end() {
    on_workers(|| {
        let path = util::build("plugin.c", MODELS[0]);
        let rounds = 4000;
        let loads = std::thread::spawn(move || {
            for _ in 0..rounds {
                let library = Library::open(&path);
                assert!(is_fresh(&library));
                set(&library, 3);
                // SAFETY: nothing of it is used any more.
                unsafe { library.close() };
            }
        });
        let mut ended = 0;
        while !loads.is_finished() {
            let some: Vec<_> = (0..20).map(|own| lisle::spawn(move || own)).collect();
            ended += some.into_iter().map(|one| one.join().unwrap()).sum::<usize>();
        }
        loads.join().unwrap();
        assert!(ended > 0);
    });
}

#[test]
fn constructors_and_destructors_that_suspend() {
    twins(|coroutine| {
        let least = Duration::from_millis(20);
        let mut lines = Vec::new();
        // Of several attempts each loads it and unloads it.
        let steps = Box::leak(Box::new(0));
        let begun = waits_for(coroutine, 2 * least, || {
            let library = load("plugin.c", &["-DSLOW"]);
            // SAFETY: the function has this type, and the place is an address; nothing of the
            // library is used after it was unloaded.
            unsafe {
                let begun = library.get::<extern "C" fn() -> c_int>("has_begun")();
                *library.get::<*mut *mut c_int>("steps") = steps;
                let own = is_fresh(&library);
                library.close();
                format!("{begun} {own}")
            }
        });
        lines.push(format!("{begun} {}", *steps > 0));
        lines
    });
}
