//! How the runtime starts.
//!
//! There is one runtime in a process. It is started by the first coroutine and never ends; what
//! it is made of is leaked. After a fork the child has none: its only thread goes on alone, and
//! the first coroutine that it spawns starts a new one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use lisle_fiber::Blocks;

use super::poller::Poller;
use super::preempt;
use super::proactor::Proactor;
use super::rest;
use super::shared::{self, Backend, Shared, started};
use super::spare::Spares;
use super::stack;
use super::substitute;
use super::warn::Warnings;
use super::worker::Worker;
use super::{fork, overflow, setxid, spawn};
use crate::config::{AlreadyStarted, Config, PollerKind, Settings};

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

/// Forgets the runtime, in the child of a fork: its threads do not exist there.
pub(crate) fn forget_after_fork() {
    if let Some(shared) = shared::parents() {
        let proactors = shared.workers().iter().filter_map(Worker::proactor);
        let rings = proactors.flat_map(Proactor::descriptors);
        rings
            .chain(shared.poller.descriptors().into_iter().flatten())
            .for_each(lisle_sys::fd::close);
    }
    shared::forked();
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
    shared::make_place().map_err(|errno| format!("no memory to be had: {errno}"))?;
    let blocks = Blocks::discover(spawn::landed).map_err(|unsupported| unsupported.to_string())?;
    let stack_size = settings.stack_size.max(stack::smallest(&blocks));
    let stack_class = stack::class_of(stack_size)
        .ok_or_else(|| format!("stacks of {stack_size} bytes are too large"))?;
    let count = settings.workers as u32;
    let (poller, backend, proactors) = waiting(settings)?;
    let spares = Spares::new(settings.max_carriers)
        .map_err(|errno| format!("no memory to be had: {errno}"))?;
    let slice = if setxid::wrap() && preempt::prepare() { settings.slice } else { 0 };
    let shared: &'static Shared = Box::leak(Box::new(Shared::new(
        blocks,
        (poller, backend),
        stack_class,
        spares,
        Warnings::new(settings.warn_after),
        count,
        slice,
    )));
    // Where it is refused signals to coroutines may come late, and the door of a single worker is
    // always open.
    let barriers = lisle_sys::thread::allow_barriers().is_ok();
    let all = count + substitute::most(count);
    let workers: Box<[Worker]> =
        (0..all).map(|index| Worker::new(index, count, shared, barriers)).collect();
    workers.iter().zip(proactors).for_each(|(worker, proactor)| worker.set_proactor(proactor));
    shared.set_workers(workers);
    overflow::watch();
    fork::watch();
    rest::start();
    shared::set(Some(shared));
    let started = rest::making_threads(|| {
        shared.workers().iter().try_for_each(start_worker)?;
        start_maker(shared)?;
        start_monitor(shared)
    });
    started.map_err(|error| {
        shared::set(None);
        format!("cannot start a worker: {error}")
    })
}

/// What coroutines wait by: a ring for each worker, or an epoll instance.
fn waiting(settings: &Settings) -> Result<(Poller, Backend, Vec<Proactor>), String> {
    let mut backend = Backend::Epoll;
    if settings.poller != Some(PollerKind::Epoll) {
        match (0..settings.workers).map(|_| Proactor::new()).collect::<Result<Vec<_>, _>>() {
            Ok(proactors) => return Ok((Poller::without_events(), Backend::Uring, proactors)),
            Err(unavailable) => {
                let reason = unavailable.to_string();
                if settings.poller == Some(PollerKind::Uring) {
                    eprintln!("lisle: waiting by epoll: {reason}");
                }
                backend = Backend::EpollBecause(reason);
            }
        }
    }
    let poller = Poller::new().map_err(|errno| format!("no epoll instance to be had: {errno}"))?;
    Ok((poller, backend, Vec::new()))
}

fn start_worker(worker: &'static Worker) -> std::io::Result<()> {
    let name = format!("lisle-{}", worker.index);
    std::thread::Builder::new().name(name).spawn(|| worker.serve()).map(drop)
}

fn start_maker(shared: &'static Shared) -> std::io::Result<()> {
    let name = "lisle-maker".to_owned();
    std::thread::Builder::new().name(name).spawn(move || shared.maker.run(shared)).map(drop)
}

fn start_monitor(shared: &'static Shared) -> std::io::Result<()> {
    let name = "lisle-monitor".to_owned();
    std::thread::Builder::new().name(name).spawn(move || shared.monitor.run(shared)).map(drop)
}
