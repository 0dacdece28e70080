//! The feature `tracing`: coroutines begin in the span, and with the dispatcher, of who starts
//! them.
#![cfg(feature = "tracing")]

mod util;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, info, info_span};
use tracing_core::span::Current;
use util::{everywhere, scaled};

/// Writes down each event's text with the path of the spans it is in.
#[derive(Clone, Default)]
struct Log(Arc<Inner>);

#[derive(Default)]
struct Inner {
    lines: Mutex<Vec<String>>,
    spans: Mutex<HashMap<u64, Open>>,
    last: AtomicU64,
}

#[derive(Clone, Copy)]
struct Open {
    metadata: &'static Metadata<'static>,
    parent: Option<u64>,
    references: usize,
}

thread_local! {
    /// The spans that the coroutine is in.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0 = format!("{value:?}");
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let mut lines = self.0.lines.lock().unwrap().clone();
        lines.sort();
        lines
    }

    fn open_spans(&self) -> usize {
        self.0.spans.lock().unwrap().len()
    }

    fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        tracing::subscriber::with_default(self.clone(), f)
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        let parent = ENTERED.with_borrow(|entered| entered.last().copied());
        let open = Open { metadata: span.metadata(), parent, references: 1 };
        self.0.spans.lock().unwrap().insert(id, open);
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut line = text.0;
        let mut place = ENTERED.with_borrow(|entered| entered.last().copied());
        while let Some(span) = place.map(|id| self.0.spans.lock().unwrap()[&id]) {
            line.insert_str(0, &format!("{}: ", span.metadata.name()));
            place = span.parent;
        }
        self.0.lines.lock().unwrap().push(line);
    }

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.into_u64()));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.0.spans.lock().unwrap().get_mut(&id.into_u64()).unwrap().references += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut spans = self.0.spans.lock().unwrap();
        let span = spans.get_mut(&id.into_u64()).unwrap();
        span.references -= 1;
        let is_last = span.references == 0;
        if is_last {
            spans.remove(&id.into_u64());
        }
        is_last
    }

    fn exit(&self, id: &Id) {
        assert_eq!(ENTERED.with_borrow_mut(Vec::pop), Some(id.into_u64()));
    }

    fn current_span(&self) -> Current {
        let Some(id) = ENTERED.with_borrow(|entered| entered.last().copied()) else {
            return Current::none();
        };
        let metadata = self.0.spans.lock().unwrap()[&id].metadata;
        Current::new(Id::from_u64(id), metadata)
    }
}

#[test]
fn coroutines_begin_in_the_span_they_were_started_in() {
    everywhere(|| {
        let log = Log::default();
        log.within(|| {
            info_span!("request").in_scope(|| {
                lisle::spawn(|| {
                    info!("begun");
                    info_span!("query").in_scope(|| lisle::spawn(|| info!("sent")).join().unwrap());
                    info!("ended");
                })
                .join()
                .unwrap();
            });
            lisle::spawn(|| info!("idle")).join().unwrap();
        });
        lisle::spawn(|| info!("unheard")).join().unwrap();
        let expected = ["idle", "request: begun", "request: ended", "request: query: sent"];
        assert_eq!(log.lines(), expected);
    });
}

#[test]
fn scopes_carry_it_too() {
    everywhere(|| {
        let log = Log::default();
        log.within(|| {
            lisle::scope(|s| {
                for name in ["one", "two"] {
                    let span = info_span!("both", name);
                    span.in_scope(|| s.spawn(move || info!(name)));
                }
                s.spawn(|| info!("bare"));
            });
        });
        assert_eq!(log.lines(), ["bare", "both: \"one\"", "both: \"two\""]);
    });
}

#[test]
fn spans_of_many_do_not_mix() {
    const STEPS: usize = 5;
    everywhere(|| {
        let (log, count) = (Log::default(), scaled(200, 50));
        log.within(|| {
            lisle::scope(|s| {
                for number in 0..count {
                    let span = if number % 2 == 0 { info_span!("even") } else { info_span!("odd") };
                    let work = move || {
                        for _ in 0..STEPS {
                            lisle::yield_now();
                            info!("{}", ["even", "odd"][number % 2]);
                        }
                    };
                    span.in_scope(|| s.spawn(work));
                }
            });
        });
        let lines = log.lines();
        let is_right = |line: &String| line == "even: even" || line == "odd: odd";
        assert_eq!((lines.len(), lines.iter().all(is_right)), (count * STEPS, true));
    });
}

#[test]
fn a_span_lasts_until_those_in_it_have_ended() {
    everywhere(|| {
        let log = Log::default();
        let (go, went) = mpsc::channel::<()>();
        let late = log.within(|| {
            info_span!("left").in_scope(|| {
                lisle::spawn(move || {
                    went.recv().unwrap();
                    info!("late");
                })
            })
        });
        assert_eq!(log.open_spans(), 1);
        go.send(()).unwrap();
        late.join().unwrap();
        assert_eq!((log.open_spans(), log.lines()), (0, vec!["left: late".into()]));
    });
}
