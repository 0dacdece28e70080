//! The file of figures: one line per metric, values as medians over the runs.
//!
//! A system that failed has a line with the metric `failed`, whose value is the number of runs
//! that failed. Systems that were skipped have none.

use crate::series::Row;

/// The columns.
pub const HEADER: &str = "case,system,metric,value,unit,runs,min,max";

/// The rows as CSV, with the header.
pub fn write(rows: &[Row]) -> String {
    let lines = rows.iter().filter_map(line);
    std::iter::once(HEADER.to_owned()).chain(lines).map(|line| line + "\n").collect()
}

/// One line; none for a row without figures.
fn line(row: &Row) -> Option<String> {
    let series = &row.series;
    let (value, min, max) = (series.median()?, series.min()?, series.max()?);
    Some(format!(
        "{},{},{},{},{},{},{},{}",
        row.case,
        row.system,
        row.metric,
        number(value),
        row.unit,
        series.runs(),
        number(min),
        number(max)
    ))
}

/// Three decimals at most.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
