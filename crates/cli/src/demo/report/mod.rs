//! The report: one HTML file with everything in it, so that it can be sent to somebody.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::outcome::{Column, Outcome};
use super::table::{self, group};
use super::{Failure, unwritable};

mod plot;

use plot::{Bar, Chart, Scale, Series};

const STYLE: &str = include_str!("style.css");

/// Writes the report to `path`, or to a new file in the temporary directory; returns where it is.
pub(super) fn write(outcome: &Outcome, path: Option<&Path>) -> Result<PathBuf, Failure> {
    let html = page(outcome);
    if let Some(path) = path {
        std::fs::write(path, html).map_err(|error| unwritable(path, &error))?;
        return Ok(path.to_owned());
    }
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let name = format!("lisle-demo-{seconds}-{}.html", std::process::id());
    let path = std::env::temp_dir().join(name);
    // The directory is everybody's, so what lies there already is not to be written through.
    let created = OpenOptions::new().write(true).create_new(true).open(&path);
    created
        .and_then(|mut file: std::fs::File| file.write_all(html.as_bytes()))
        .map_err(|error: io::Error| unwritable(&path, &error))?;
    Ok(path)
}

fn page(outcome: &Outcome) -> String {
    let machine = &outcome.machine;
    let facts = format!(
        "Lisle {} · Linux {} · {} × {} · {} GiB of memory · {} s of load each",
        machine.version,
        machine.kernel,
        machine.cpus,
        machine.cpu,
        machine.memory_bytes >> 30,
        outcome.seconds,
    );
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Lisle demo</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>One blocking HTTP server: on coroutines, on OS threads</h1>\n\
         <p class=\"facts\">{}</p>\n{}{}<div class=\"plots\">\n{}</div>\n\
         {METHOD}</body>\n</html>\n",
        escape(&facts),
        table_html(outcome),
        notes(outcome),
        plots(outcome),
    )
}

/// What the figures mean, for readers who were not there.
const METHOD: &str = "<h2>How it was measured</h2>\n<ul>\n\
    <li>The server is the example <code>http_server.rs</code>: plain <code>std::net</code>, one \
    coroutine a connection. The second column is the same program with \
    <code>LISLE_MODE=threads</code>: each coroutine an OS thread.</li>\n\
    <li>The client is another process on the same machine, and takes its share of the \
     processors.</li>\n\
    <li>Every connection has had one reply before it rests; memory per connection is what the \
    server's resident memory grew by until then. Kernel stacks are the growth in the whole system, \
    since the kernel does not tell them by process.</li>\n\
    <li>The load is a closed loop: each connection sends its next request when it has its reply. \
    So latency is that of as many requests in flight as there are connections.</li>\n\
    <li>Context switches and processor time are those of the server's threads from rest to the \
     last \
    reply, divided by all replies.</li>\n</ul>\n";

fn table_html(outcome: &Outcome) -> String {
    let mut html = String::from("<table>\n<tr><th></th>");
    for column in &outcome.columns {
        html += &format!("<th>{}</th>", column.system.title());
    }
    html += "</tr>\n";
    for row in table::rows(outcome) {
        let cells: String =
            row.cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        html += &format!("<tr><th>{}</th>{cells}</tr>\n", row.label);
    }
    html + "</table>\n"
}

fn notes(outcome: &Outcome) -> String {
    let all = outcome.columns.iter().flat_map(|column| {
        let title = column.system.title();
        column.notes.iter().map(move |note| {
            format!("<p class=\"note\"><b>Note on {title}:</b> {}</p>\n", escape(note))
        })
    });
    all.collect()
}

fn plots(outcome: &Outcome) -> String {
    let series = |points: &dyn Fn(&Column) -> Vec<(f64, f64)>| -> Vec<Series> {
        let line = |column| Series { name: Column::title(column), points: points(column) };
        outcome.columns.iter().map(line).collect()
    };
    let bars = |title, unit, value: &dyn Fn(&Column) -> f64| {
        let bar = |column| Bar { name: Column::title(column), value: value(column) };
        plot::bars(title, unit, &outcome.columns.iter().map(bar).collect::<Vec<_>>())
    };
    let latency = Chart {
        title: "Latency by quantile",
        x: Scale::Nines,
        y: Scale::Logarithmic,
        x_label: "share of the requests that were at least as fast",
        y_label: "ms",
    };
    let rate = Chart {
        title: "Requests per second over time",
        x: Scale::Linear,
        y: Scale::Linear,
        x_label: "seconds of load",
        y_label: "requests/s",
    };
    [
        latency.render(&series(&|c| {
            c.latency.curve.iter().map(|&(q, us)| (q, us as f64 / 1000.0)).collect()
        })),
        rate.render(&series(&|c| c.rate.clone())),
        bars("Resident memory per connection", "KiB", &|c| c.memory.per_connection / 1024.0),
        bars("Voluntary context switches per request", "", &|c| c.voluntary_switches_per_request),
        bars("Server CPU per request", "µs", &|c| c.cpu_us_per_request),
        bars("OS threads", "", &|c| c.os_threads as f64),
    ]
    .concat()
}

impl Column {
    fn title(&self) -> &'static str {
        self.system.title()
    }
}

/// A number as the plots label it.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => group(value.round() as usize),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => trimmed(&format!("{value:.1}")),
        size if size >= 0.1 => trimmed(&format!("{value:.2}")),
        _ => trimmed(&format!("{value:.4}")),
    }
}

fn trimmed(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
