//! The figures as rows of text, for the terminal and for the report's table.

use super::outcome::{Column, Outcome};

/// A line of the table: what it tells, and its cell for each column.
pub(super) struct Row {
    pub(super) label: &'static str,
    pub(super) cells: Vec<String>,
}

/// All lines.
pub(super) fn rows(outcome: &Outcome) -> Vec<Row> {
    let row = |label, cell: &dyn Fn(&Column) -> String| Row {
        label,
        cells: outcome.columns.iter().map(cell).collect(),
    };
    let whole = |number: f64| group(number.round() as usize);
    vec![
        row("connections", &|c| group(c.connections)),
        row("requests/s", &|c| whole(c.requests_per_second)),
        row("latency p50", &|c| milliseconds(c.latency.p50_us)),
        row("latency p99", &|c| milliseconds(c.latency.p99_us)),
        row("latency p99.9", &|c| milliseconds(c.latency.p999_us)),
        row("errors", &|c| group(c.errors as usize)),
        row("resident memory per connection", &|c| kibibytes(c.memory.per_connection)),
        row("kernel stacks per connection", &|c| kibibytes(c.memory.kernel_stack_per_connection)),
        row("OS threads", &|c| group(c.os_threads as usize)),
        row("voluntary context switches per request", &|c| {
            format!("{:.3}", c.voluntary_switches_per_request)
        }),
        row("involuntary context switches per request", &|c| {
            format!("{:.3}", c.involuntary_switches_per_request)
        }),
        row("server CPU per request", &|c| format!("{:.1} µs", c.cpu_us_per_request)),
    ]
}

/// The table for the terminal, and the notes under it.
pub(super) fn render(outcome: &Outcome) -> String {
    let rows = rows(outcome);
    let width = rows.iter().map(|row| row.label.len()).max().unwrap_or(0);
    let line = |label: &str, cells: &mut dyn Iterator<Item = &str>| {
        let cells: String = cells.map(|cell| format!("  {cell:>14}")).collect();
        format!("{label:<width$}{cells}\n")
    };
    let mut text = line("", &mut outcome.columns.iter().map(|column| column.system.title()));
    for row in &rows {
        text += &line(row.label, &mut row.cells.iter().map(String::as_str));
    }
    for column in &outcome.columns {
        for note in &column.notes {
            text += &format!("\nNote on {}: {note}\n", column.system.title());
        }
    }
    text
}

/// A number with its digits in groups of three.
pub(super) fn group(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Microseconds as milliseconds, with the digits that mean something.
pub(super) fn milliseconds(us: u64) -> String {
    let ms = us as f64 / 1000.0;
    match us {
        0..10_000 => format!("{ms:.2} ms"),
        10_000..100_000 => format!("{ms:.1} ms"),
        _ => format!("{} ms", group(ms.round() as usize)),
    }
}

fn kibibytes(bytes: f64) -> String {
    format!("{:.1} KiB", bytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (1234567, "1 234 567")] {
            assert_eq!(group(number), text);
        }
    }

    #[test]
    fn milliseconds_by_size() {
        assert_eq!(milliseconds(123), "0.12 ms");
        assert_eq!(milliseconds(12_345), "12.3 ms");
        assert_eq!(milliseconds(1_234_567), "1 235 ms");
    }
}
