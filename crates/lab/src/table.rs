//! A case's table: a line per system, the median of each metric and its ratio to Lisle's.
//!
//! Ranges are shown where there is room; the CSV has them all.
//! Written as Markdown with aligned columns, which reads as well in a terminal.

use crate::series::{Row, ratio};
use crate::standing::Standing;
use crate::system::BASE;

/// The greatest number of metrics that are shown with their ranges.
const WITH_RANGES: usize = 3;

/// The table of one variant.
pub(crate) fn render(standings: &[Standing]) -> String {
    let metrics = metrics(standings);
    let base = standings.iter().find(|standing| standing.system == BASE);
    let mut lines = vec![header(&metrics)];
    let mut notes = Vec::new();
    for standing in standings {
        if !standing.rows.is_empty() {
            lines.push(line(standing, &metrics, base));
        }
        for note in standing.notes() {
            notes.push(format!("- {}: {note}\n", standing.system));
        }
    }
    let table = if metrics.is_empty() { String::new() } else { align(&lines) };
    let gap = if table.is_empty() || notes.is_empty() { "" } else { "\n" };
    format!("{table}{gap}{}", notes.concat())
}

/// Name and unit of every metric, in order of appearance.
fn metrics(standings: &[Standing]) -> Vec<(&str, &str)> {
    let mut metrics = Vec::new();
    for row in standings.iter().flat_map(|standing| &standing.rows) {
        let metric = (row.metric.as_str(), row.unit.as_str());
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    metrics
}

fn header(metrics: &[(&str, &str)]) -> Vec<String> {
    let mut cells = vec!["system".to_owned()];
    for (metric, unit) in metrics {
        cells.push(format!("{metric} ({unit})"));
        cells.push(format!("/ {BASE}"));
        cells.extend((metrics.len() <= WITH_RANGES).then(|| "min..max".to_owned()));
    }
    cells
}

fn line(standing: &Standing, metrics: &[(&str, &str)], base: Option<&Standing>) -> Vec<String> {
    let mut cells = vec![standing.system.to_owned()];
    for (metric, _) in metrics {
        let base = base.and_then(|base| base.row(metric));
        let figures = figures(standing.row(metric), base);
        let shown = if metrics.len() <= WITH_RANGES { 3 } else { 2 };
        cells.extend(figures.into_iter().take(shown));
    }
    cells
}

/// Median, ratio and range of a row; dashes where there is none.
fn figures(row: Option<&Row>, base: Option<&Row>) -> [String; 3] {
    let median = |row: Option<&Row>| row.and_then(|row| row.series.median());
    let ratio = median(row).zip(median(base)).and_then(|(own, base)| ratio(own, base));
    let range = row.and_then(|row| row.series.min().zip(row.series.max()));
    let dash = || "-".to_owned();
    [
        median(row).map_or_else(dash, short),
        ratio.map_or_else(dash, |ratio| match ratio {
            0.0..0.095 => format!("{ratio:.4}"),
            _ => format!("{ratio:.2}"),
        }),
        range.map_or_else(dash, |(min, max)| format!("{}..{}", short(min), short(max))),
    ]
}

/// Three significant digits at least, and no more decimals than that takes.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// Markdown with columns of equal width, numbers to the right.
fn align(lines: &[Vec<String>]) -> String {
    let columns = lines[0].len();
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            text += &match column {
                0 => format!("| {cell:<width$} |"),
                _ => format!(" {cell:>width$} |"),
            };
        }
        text.push('\n');
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                text += &if column == 0 { format!("|{dashes}-|") } else { format!("{dashes}:|") };
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Series;

    fn standing(system: &'static str, values: &[f64]) -> Standing {
        let series: Series = values.iter().copied().collect();
        let row = Row {
            case: "yield".into(),
            system: system.into(),
            metric: "yield".into(),
            unit: "ns".into(),
            series,
        };
        let mut standing = Standing::new(system);
        standing.rows.push(row);
        standing
    }

    #[test]
    fn systems_are_compared_to_the_base() {
        let text = render(&[standing("lisle", &[50.0, 40.0, 60.0]), standing("go", &[125.0])]);
        let expected = "\
| system | yield (ns) | / lisle |   min..max |
|--------|-----------:|--------:|-----------:|
| lisle  |       50.0 |    1.00 | 40.0..60.0 |
| go     |        125 |    2.50 |   125..125 |
";
        assert_eq!(text, expected);
    }

    #[test]
    fn small_ratios_keep_their_digits() {
        let text = render(&[standing("lisle", &[1000.0]), standing("go", &[12.5])]);
        assert!(text.contains(" 0.0125 |"), "{text}");
    }

    #[test]
    fn failures_are_shown() {
        let mut failed = Standing::new("may");
        (failed.failures, failed.rounds) = (vec!["no memory".to_owned(); 2], 2);
        assert_eq!(render(&[failed]), "- may: failed: no memory (2 of 2 runs)\n");
    }
}
