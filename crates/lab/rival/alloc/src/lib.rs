//! What an allocator costs on coroutines: as it is, when each of them has a cache of its own, and
//! with [`lisle::PerWorkerAlloc`].
//!
//! ```text
//! alloc-NAME plain|per-worker idle|small|several|pairs [TASKS]   ->   lines "metric value unit"
//! ```

use std::alloc::{GlobalAlloc, Layout};
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lisle::PerWorkerAlloc;

static PER_WORKER: AtomicBool = AtomicBool::new(false);

/// An allocator that is run for each worker if the program's first argument says so. What was
/// allocated in one way may be freed in the other.
pub struct Switch<A> {
    plain: A,
    per_worker: PerWorkerAlloc<A>,
}

impl<A> Switch<A> {
    /// For `#[global_allocator]`: the same allocator twice.
    pub const fn new(plain: A, inner: A) -> Self {
        Switch { plain, per_worker: PerWorkerAlloc::new(inner) }
    }
}

// SAFETY: both do the work by the same allocator.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Switch<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligation.
        unsafe {
            match PER_WORKER.load(Ordering::Relaxed) {
                true => self.per_worker.alloc(layout),
                false => self.plain.alloc(layout),
            }
        }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligation.
        unsafe {
            match PER_WORKER.load(Ordering::Relaxed) {
                true => self.per_worker.dealloc(place, layout),
                false => self.plain.dealloc(place, layout),
            }
        }
    }
}

/// The program.
pub fn main() {
    let mut args = std::env::args().skip(1);
    PER_WORKER.store(args.next().as_deref() == Some("per-worker"), Ordering::Relaxed);
    let case = args.next().unwrap_or_default();
    let tasks = args.next().and_then(|tasks| tasks.parse().ok()).unwrap_or(100_000);
    lisle::runtime::Builder::new().workers(2).install().expect("nothing has started");
    let measure = move || match case.as_str() {
        "idle" => memory(tasks, || {}),
        "small" => memory(tasks, || drop(black_box(Box::new([0_u8; 100])))),
        "several" => memory(tasks, || {
            let sizes = [16, 40, 100, 300, 1000, 3000];
            drop(black_box(sizes.map(|size| vec![1_u8; size])));
        }),
        "pairs" => cost(),
        other => panic!("no such case: {other}"),
    };
    lisle::spawn(measure).join().expect("it does not panic");
}

/// Resident memory of the process, in bytes.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("/proc is there");
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * 4096
}

/// What coroutines take that have done this and wait.
fn memory(tasks: usize, work: fn()) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let before = resident();
    let _all: Vec<_> = (0..tasks)
        .map(|_| {
            let arrived = Arc::clone(&arrived);
            lisle::spawn(move || {
                work();
                arrived.fetch_add(1, Ordering::Relaxed);
                loop {
                    lisle::park();
                }
            })
        })
        .collect();
    while arrived.load(Ordering::Relaxed) < tasks {
        lisle::sleep(Duration::from_millis(1));
    }
    let each = (resident() - before) as f64 / tasks as f64;
    println!("each {each:.0} bytes");
    // Those that wait end with the process.
    std::process::exit(0);
}

/// What a pair of calls costs: the median of several slices.
fn cost() {
    const PAIRS: u32 = 200_000;
    for (name, size) in [("pair_100", 100_usize), ("pair_2000", 2000)] {
        let mut slices: Vec<_> = (0..15)
            .map(|_| {
                let begin = Instant::now();
                for _ in 0..PAIRS {
                    drop(black_box(Vec::<u8>::with_capacity(black_box(size))));
                }
                begin.elapsed().as_nanos() as f64 / f64::from(PAIRS)
            })
            .collect();
        slices.sort_by(f64::total_cmp);
        println!("{name} {:.1} ns", slices[slices.len() / 2]);
    }
}
