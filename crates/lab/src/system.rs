//! The systems that are compared, and what each can do.

use crate::case::Variant;

/// The system that ratios are taken to.
pub(crate) const BASE: &str = "lisle";

/// All systems, in the order of the tables.
pub(crate) const SYSTEMS: [System; 12] = [
    System::new(BASE, "this runtime", Program::Own),
    System::new("may", "stackful coroutines", Program::Cargo("may")),
    System::new("go", "goroutines", Program::Go),
    System::new("tokio-ct", "tokio, current-thread runtime", Program::Cargo("tokio"))
        .one_worker()
        .with_arg("current_thread=1"),
    System::new("tokio-mt", "tokio, multi-thread runtime", Program::Cargo("tokio")),
    System::new("smol", "smol's executor, run by as many threads", Program::Cargo("smol")),
    System::new("flume", "flume's channels on tokio-mt", Program::Cargo("tokio"))
        .with_arg("flume=1")
        .only_in(Field::Channels),
    System::new("rayon", "a pool for what computes", Program::Cargo("rayon")).only_in(Field::Fair),
    System::new("threads", "std on OS threads", Program::Cargo("threads")),
    System::new("lisle-run", "the same program under `lisle run`", Program::Cargo("threads"))
        .under_run(),
    System::new("c-epoll", "C by hand on epoll", Program::C { name: "epoll", library: None })
        .only_in(Field::Echo),
    System::new("c-uring", "C on io_uring", Program::C { name: "uring", library: Some("uring") })
        .only_in(Field::Echo),
];

/// One column of comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) program: Program,
    /// What its harness program is given besides the case's parameters.
    pub(crate) arg: Option<&'static str>,
    /// Whether its program runs under `lisle run`.
    pub(crate) under_run: bool,
    one_worker: bool,
    field: Field,
}

/// What a system takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    All,
    Echo,
    Fair,
    Channels,
}

/// Where a system's harness program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The laboratory itself.
    Own,
    /// A package of the workspace in `rival/`, without `rival-`.
    Cargo(&'static str),
    /// `rival/go`.
    Go,
    /// A file in `rival/c`, and a library that it needs.
    C { name: &'static str, library: Option<&'static str> },
}

impl System {
    const fn new(name: &'static str, about: &'static str, program: Program) -> Self {
        System {
            name,
            about,
            program,
            arg: None,
            under_run: false,
            one_worker: false,
            field: Field::All,
        }
    }

    const fn under_run(mut self) -> Self {
        self.under_run = true;
        self
    }

    const fn with_arg(mut self, arg: &'static str) -> Self {
        self.arg = Some(arg);
        self
    }

    const fn one_worker(mut self) -> Self {
        self.one_worker = true;
        self
    }

    const fn only_in(mut self, field: Field) -> Self {
        self.field = field;
        self
    }

    /// Whether the system has anything to show in `variant`.
    pub(crate) fn takes_part(&self, variant: &Variant) -> bool {
        let is_here = match self.field {
            Field::All => true,
            Field::Echo => variant.is_echo(),
            Field::Fair => variant.is_fair(),
            Field::Channels => variant.is_of_channels(),
        };
        is_here && (variant.workers == 1 || !self.one_worker) && variant.is_for(self.name)
    }
}
