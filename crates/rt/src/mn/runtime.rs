//! What all workers share, and how it starts.
//!
//! There is one runtime in a process. It is started by the first coroutine and never ends; what
//! it is made of is leaked. After a fork the child has none: its only thread goes on alone, and
//! the first coroutine that it spawns starts a new one.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use lisle_core::{Idle, Injector};
use lisle_fiber::Blocks;

use super::carrier::Carrier;
use super::monitor::Monitor;
use super::poller::Poller;
use super::spare::Spares;
use super::stack::{self, Pool};
use super::task::Task;
use super::worker::Worker;
use super::{fork, overflow, setxid};
use crate::config::{AlreadyStarted, Config, Settings};

/// See the module.
pub(crate) struct Shared {
    pub(crate) injector: Injector<Task>,
    pub(crate) idle: Idle,
    pub(crate) poller: Poller,
    pub(crate) pool: Pool,
    pub(crate) spares: Spares,
    pub(crate) monitor: Monitor,
    pub(crate) blocks: Blocks,
    /// Class of stacks of coroutines that ask for no size.
    pub(crate) stack_class: usize,
    next_id: AtomicU64,
    workers: OnceLock<Box<[Worker]>>,
}

/// Null until the start and in the child of a fork.
static SHARED: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// What `start` decides on, under a lock; only cold paths take it.
static DECISION: Mutex<Decision> = Mutex::new(Decision { config: None, outcome: None });

/// Whether this is the child of a fork that came while the runtime started.
static LOST: AtomicBool = AtomicBool::new(false);

struct Decision {
    config: Option<Config>,
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy)]
enum Outcome {
    Coroutines,
    ThreadsAsAsked,
    ThreadsBecause(&'static str),
}

/// The running runtime.
///
/// # Panics
/// Before the start; only code that runs because of a coroutine calls this.
#[inline]
pub(crate) fn shared() -> &'static Shared {
    started().expect("the runtime runs")
}

/// The running runtime, if it has started.
#[inline]
pub(crate) fn started() -> Option<&'static Shared> {
    // SAFETY: null or leaked.
    unsafe { SHARED.load(Ordering::Acquire).as_ref() }
}

/// Forgets the runtime, in the child of a fork: its threads do not exist there.
pub(crate) fn forget_after_fork() {
    SHARED.store(ptr::null_mut(), Ordering::Release);
    match DECISION.try_lock() {
        Ok(mut decision) => decision.outcome = None,
        // Held for ever by a thread that is no more.
        Err(_) => LOST.store(true, Ordering::Relaxed),
    }
}

/// The configuration for the start to come.
pub(crate) fn install(config: Config) -> Result<(), AlreadyStarted> {
    let mut decision = DECISION.lock().unwrap_or_else(PoisonError::into_inner);
    if decision.outcome.is_some() || decision.config.is_some() {
        return Err(AlreadyStarted);
    }
    decision.config = Some(config);
    Ok(())
}

/// The runtime, started if it was not; none if OS threads were asked for.
///
/// # Errors
/// Why coroutines are not to be had here.
pub(crate) fn get_or_start() -> Result<Option<&'static Shared>, &'static str> {
    if let Some(shared) = started() {
        return Ok(Some(shared));
    }
    if LOST.load(Ordering::Relaxed) {
        return Err("the process was forked while the runtime started");
    }
    let mut decision = DECISION.lock().unwrap_or_else(PoisonError::into_inner);
    let config = decision.config.unwrap_or_default();
    let outcome = *decision.outcome.get_or_insert_with(|| decide(config));
    match outcome {
        Outcome::Coroutines => Ok(started()),
        Outcome::ThreadsAsAsked => Ok(None),
        Outcome::ThreadsBecause(reason) => Err(reason),
    }
}

fn decide(config: Config) -> Outcome {
    let settings = Settings::complete(config);
    if settings.threads {
        return Outcome::ThreadsAsAsked;
    }
    match start(&settings) {
        Ok(()) => Outcome::Coroutines,
        Err(reason) => Outcome::ThreadsBecause(reason.leak()),
    }
}

fn start(settings: &Settings) -> Result<(), String> {
    let blocks = Blocks::discover().map_err(|unsupported| unsupported.to_string())?;
    let poller = Poller::new().map_err(|errno| format!("no epoll instance to be had: {errno}"))?;
    let stack_class = stack::class_of(settings.stack_size)
        .ok_or_else(|| format!("a stack size of {} is too large", settings.stack_size))?;
    let shared: &'static Shared = Box::leak(Box::new(Shared {
        injector: Injector::new(),
        idle: Idle::new(settings.workers as u32),
        poller,
        pool: Pool::new(),
        spares: Spares::new(),
        monitor: Monitor::new(),
        blocks,
        stack_class,
        next_id: AtomicU64::new(1),
        workers: OnceLock::new(),
    }));
    let alone = settings.workers == 1;
    let workers =
        (0..settings.workers as u32).map(|index| Worker::new(index, alone, shared)).collect();
    let _ = shared.workers.set(workers);
    overflow::watch();
    setxid::wrap();
    fork::watch();
    SHARED.store(ptr::from_ref(shared).cast_mut(), Ordering::Release);
    let started = shared.workers().iter().try_for_each(start_worker);
    let started = started.and_then(|()| start_monitor(shared));
    started.map_err(|error| {
        SHARED.store(ptr::null_mut(), Ordering::Release);
        format!("cannot start a worker: {error}")
    })
}

fn start_worker(worker: &'static Worker) -> std::io::Result<()> {
    let body = move || {
        let carrier = Carrier::new(Some(worker));
        // SAFETY: first of all on this thread; `run` never returns, so the carrier stays.
        unsafe {
            carrier.adopt_thread();
            worker.run(&carrier)
        }
    };
    std::thread::Builder::new().name(format!("lisle-{}", worker.index)).spawn(body).map(drop)
}

fn start_monitor(shared: &'static Shared) -> std::io::Result<()> {
    // One worker has nobody to be woken for it.
    if shared.workers().len() == 1 {
        return Ok(());
    }
    let name = "lisle-monitor".to_owned();
    std::thread::Builder::new().name(name).spawn(move || shared.monitor.run(shared)).map(drop)
}

impl Shared {
    pub(crate) fn workers(&self) -> &'static [Worker] {
        let workers: *const [Worker] = &**self.workers.get().expect("set before the start is over");
        // SAFETY: Shared is leaked, and its workers with it.
        unsafe { &*workers }
    }

    /// Makes a coroutine runnable from outside of workers.
    ///
    /// # Safety
    /// The caller owns the task.
    pub(crate) unsafe fn inject(&self, task: &'static Task) {
        // SAFETY: the caller's obligation.
        unsafe { self.injector.push(ptr::NonNull::from(task)) };
        self.notify();
    }

    /// Wakes a worker if there is more work than those awake will find.
    #[inline]
    pub(crate) fn notify(&self) {
        if let Some(index) = self.idle.wake_one() {
            self.workers()[index as usize].unpark();
        }
    }

    /// The next `count` identities: the first, and the one after the last.
    pub(crate) fn reserve_ids(&self, count: u64) -> (u64, u64) {
        let first = self.next_id.fetch_add(count, Ordering::Relaxed);
        (first, first + count)
    }
}
