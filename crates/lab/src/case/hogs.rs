//! Tasks that compute without waiting, and others beside them.
//!
//! A sleeper shows how soon somebody who waits for little runs again, a server what is left for
//! those who do I/O. What preemption costs those who compute is the difference between Lisle as it
//! is and with slices switched off.

use super::{Case, Kind, Scale, Variant, echo};

pub(super) const CASE: Case = Case {
    name: "hogs",
    about: "a sleeper and a server beside tasks that compute; what preemption costs those",
    variants,
};

/// Hogs for each worker.
const EACH: usize = 2;

/// Requests per second that are asked of the server.
const RATE: usize = 1000;

fn variants(scale: Scale) -> Vec<Variant> {
    let mut variants = Vec::new();
    for workers in scale.workers() {
        let hogs = EACH * workers;
        let title = format!("a task sleeps 1 ms beside {hogs} hogs");
        let mut sleeper = Variant::inside(scale, "hogs-sleeper", "hogs-sleeper", &title, workers);
        sleeper.set("ms", if scale.quick { 500 } else { 3000 });
        variants.push(sleeper.with("hogs", hogs));
        for (id, slices) in [("hogs-alone", true), ("hogs-alone-unsliced", false)] {
            let how = if slices { "" } else { ", slices off" };
            let title = format!("{hogs} hogs{how}");
            let mut alone = Variant::inside(scale, "hogs-alone", id, &title, workers);
            alone.set("ms", if scale.quick { 500 } else { 3000 });
            let alone = alone.with("hogs", hogs);
            variants.push(if slices { alone } else { alone.without_slices() });
        }
    }
    let load = echo::Load::at_rate(scale, 10, RATE);
    let title = format!("TCP echo, {RATE} requests/s on 10 connections, beside {EACH} hogs");
    let mut server = Variant::inside(scale, "echo", "hogs-echo", &title, 1).with("hogs", EACH);
    server.id = "hogs-echo".to_owned();
    server.kind = Kind::Echo(load);
    variants.push(server);
    variants
}
