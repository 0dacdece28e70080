//! The file of figures: one line per metric, values as medians over the runs.
//!
//! A system that failed has a line with the metric `failed`, whose value is the number of runs
//! that failed. Systems that were skipped have none.

use crate::series::Row;

/// The columns.
pub const HEADER: &str = "case,system,metric,value,unit,runs,min,max";

/// A line that was read again. The unit is the metric's own and the same in all lines of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) case: String,
    pub(crate) system: String,
    pub(crate) metric: String,
    /// The median.
    pub(crate) value: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// The rows as CSV, with the header.
pub fn write(rows: &[Row]) -> String {
    let lines = rows.iter().filter_map(line);
    std::iter::once(HEADER.to_owned()).chain(lines).map(|line| line + "\n").collect()
}

/// Reads what [`write()`] has written.
pub(crate) fn read(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = text.lines();
    match lines.next() {
        Some(HEADER) => lines.map(|line| parse(line).ok_or(format!("no figure: {line}"))).collect(),
        _ => Err(format!("the first line is not {HEADER}")),
    }
}

fn parse(line: &str) -> Option<Line> {
    let fields: Vec<_> = line.split(',').collect();
    let [case, system, metric, value, _unit, _runs, min, max] = fields[..] else { return None };
    let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    Some(Line {
        case: case.to_owned(),
        system: system.to_owned(),
        metric: metric.to_owned(),
        value: number(value)?,
        min: number(min)?,
        max: number(max)?,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let row = Row {
            case: "fair-2w".to_owned(),
            system: "go".to_owned(),
            metric: "total".to_owned(),
            unit: "us".to_owned(),
            series: [1.5, 2.5, 9.0].into_iter().collect(),
        };
        let [line] = &read(&write(&[row])).unwrap()[..] else { panic!("not one line") };
        assert_eq!((&*line.case, &*line.system, &*line.metric), ("fair-2w", "go", "total"));
        assert_eq!((line.value, line.min, line.max), (2.5, 1.5, 9.0));
    }

    #[test]
    fn what_is_no_figure_is_refused() {
        assert!(read("system,value\n").is_err());
        assert!(read(&format!("{HEADER}\na,b,c,one,us,1,1,1\n")).is_err());
        assert!(read(&format!("{HEADER}\na,b,c,1,us,1,1\n")).is_err());
    }
}
