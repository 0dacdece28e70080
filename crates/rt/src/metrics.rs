//! What the runtime counts.

/// What has happened since the runtime started. Counters of different workers are read one after
/// the other: they are exact only while nothing runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Coroutines that were started.
    pub started: u64,
    /// Those of them that have not ended.
    pub live: u64,
    /// How often a coroutine left a worker: to wait, to give way, to hop, at its end.
    pub suspensions: u64,
    /// How often one was preempted.
    pub preemptions: u64,
    /// How often a coroutine went on on a spare carrier.
    pub hops: u64,
    /// Spare carriers that there are.
    pub carriers: u64,
    /// How often a substitute took over from a worker that was stuck in the kernel.
    pub substitutions: u64,
    /// Workers that are stuck in the kernel.
    pub stuck: u64,
    /// Warnings, told or not: of coroutines that held their worker for long without suspending.
    pub held: u64,
    /// Warnings, told or not: of carriers that were blocked for long in a call that is not hooked.
    pub blocked: u64,
}
