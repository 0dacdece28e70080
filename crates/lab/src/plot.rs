//! The picture of the case `fair`: when the tasks have ended, and how long the small one waited.
//!
//! ```text
//!   lisle  ├────────████│███┤ 61 s      whisker: first to last; bar: 10 % to 90 %; mark: half
//!   rayon  ├──███████│███████─┤ 60 s    all systems on one axis of time
//!
//!   lisle  │■ 12 ms                     second panel: the small task, logarithmic
//! ```
//!
//! Both are medians over the rounds, as in the table; in the second panel the whisker is the range.

use crate::csv::{self, Line};
use crate::svg::{self, Axis, Scale, WIDTH, words};

/// Room for the systems' names and for the values beside the bars.
const LEFT: f64 = 88.0;
const RIGHT: f64 = 90.0;
/// The height of a system's row, and of what is in it.
const ROW: f64 = 30.0;
const BAR: f64 = 14.0;
const MARK: f64 = 22.0;
/// Room above a panel's rows for its title, and below for the labels of the axis.
const ABOVE: f64 = 40.0;
const BELOW: f64 = 30.0;

/// One system's figures, in microseconds.
struct Spread<'a> {
    system: &'a str,
    first: f64,
    tenth: f64,
    half: f64,
    nine_tenths: f64,
    total: f64,
    /// What the small task waited: median, least and most over the rounds.
    late: (f64, f64, f64),
}

/// The picture of what `figures`, a CSV, has of the case; none if it has nothing.
pub(crate) fn fairness(figures: &str) -> Result<Option<String>, String> {
    let lines = csv::read(figures)?;
    let Some(case) = lines.iter().map(|line| &line.case).find(|case| case.starts_with("fair-"))
    else {
        return Ok(None);
    };
    let of_case: Vec<_> = lines.iter().filter(|line| line.case == *case).collect();
    let mut systems: Vec<_> = of_case.iter().map(|line| &*line.system).collect();
    systems.dedup();
    let spreads: Vec<_> =
        systems.into_iter().filter_map(|system| Spread::of(system, &of_case)).collect();
    if spreads.is_empty() {
        return Ok(None);
    }
    let panel = ABOVE + ROW * spreads.len() as f64 + BELOW;
    let title = "Tasks that compute, and a small one that comes late";
    let content = endings(&spreads, 0.0) + &waits(&spreads, panel);
    Ok(Some(svg::document(title, &content, 2.0 * panel)))
}

impl<'a> Spread<'a> {
    /// What the lines say of a system; none if one is missing, as when it has failed.
    fn of(system: &'a str, lines: &[&Line]) -> Option<Self> {
        let find =
            |metric: &str| lines.iter().find(|line| line.system == system && line.metric == metric);
        let median = |metric: &str| find(metric).map(|line| line.value);
        let late = find("late_task")?;
        Some(Spread {
            system,
            first: median("done_first")?,
            tenth: median("done_10")?,
            half: median("done_50")?,
            nine_tenths: median("done_90")?,
            total: median("total")?,
            late: (late.value, late.min, late.max),
        })
    }
}

/// The panel of when the tasks have ended.
fn endings(spreads: &[Spread], top: f64) -> String {
    let totals = spreads.iter().map(|spread| spread.total);
    let axis = Axis::over(Scale::Linear, totals, (LEFT, WIDTH - RIGHT));
    let title = "When tasks have ended: first to last, bar from 10 % to 90 %, mark at half";
    let mut svg = frame(spreads, top, title, &axis);
    for (index, spread) in spreads.iter().enumerate() {
        let y = row(top, index);
        svg += &svg::line("whisker", (axis.x(spread.first), y), (axis.x(spread.total), y));
        svg += &svg::bar((axis.x(spread.tenth), axis.x(spread.nine_tenths)), y, BAR);
        for end in [spread.first, spread.total] {
            svg += &upright("whisker", axis.x(end), y, BAR);
        }
        svg += &upright("mark", axis.x(spread.half), y, MARK);
        svg += &value(axis.x(spread.total), y, spread.total);
    }
    svg
}

/// The panel of what the small task waited.
fn waits(spreads: &[Spread], top: f64) -> String {
    let times = spreads.iter().flat_map(|spread| [spread.late.1, spread.late.2]);
    let axis = Axis::over(Scale::Logarithmic, times, (LEFT, WIDTH - RIGHT));
    let title = "How long the small late task waited: bar to the median, range of the rounds";
    let mut svg = frame(spreads, top, title, &axis);
    for (index, spread) in spreads.iter().enumerate() {
        let ((median, least, most), y) = (spread.late, row(top, index));
        svg += &svg::bar((LEFT, axis.x(median)), y, BAR);
        svg += &svg::line("mark", (axis.x(least), y), (axis.x(most), y));
        svg += &value(axis.x(most), y, median);
    }
    svg
}

/// A panel's title, axis and names.
fn frame(spreads: &[Spread], top: f64, title: &str, axis: &Axis) -> String {
    let rows = top + ABOVE;
    let mut svg = svg::text("title", (LEFT, top + 24.0), "start", title);
    svg += &axis.draw(rows, rows + ROW * spreads.len() as f64);
    for (index, spread) in spreads.iter().enumerate() {
        svg += &svg::text("value", (LEFT - 8.0, row(top, index) + 4.0), "end", spread.system);
    }
    svg
}

/// The middle of a row.
fn row(top: f64, index: usize) -> f64 {
    top + ABOVE + ROW * (index as f64 + 0.5)
}

fn upright(class: &str, x: f64, y: f64, height: f64) -> String {
    svg::line(class, (x, y - height / 2.0), (x, y + height / 2.0))
}

fn value(x: f64, y: f64, time: f64) -> String {
    svg::text("value", (x + 8.0, y + 4.0), "start", &words(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times in seconds: first, 10 %, half, 90 %, total, and the small task's.
    fn lines(system: &str, times: [f64; 6]) -> String {
        let metrics = ["done_first", "done_10", "done_50", "done_90", "total", "late_task"];
        let line = |(metric, seconds): (&str, f64)| {
            let time = seconds * 1e6;
            format!("fair-2w,{system},{metric},{time},us,3,{time},{}\n", time * 2.0)
        };
        metrics.into_iter().zip(times).map(line).collect()
    }

    /// The values of an attribute in all shapes of a kind.
    fn attribute(svg: &str, shape: &str, name: &str) -> Vec<f64> {
        let shapes = svg.lines().filter(|line| line.starts_with(shape));
        let value = |line: &str| {
            let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        shapes.map(value).collect()
    }

    fn picture() -> String {
        let text = csv::HEADER.to_owned()
            + "\nyield-2t-1w,lisle,yield,50,ns,3,50,50\n"
            + &lines("lisle", [10.0, 50.0, 60.0, 70.0, 100.0, 0.01])
            + &lines("rayon", [0.0, 10.0, 50.0, 90.0, 100.0, 100.0])
            + "fair-2w,go,failed,3,runs,1,3,3\n";
        fairness(&text).unwrap().unwrap()
    }

    #[test]
    fn bars_are_where_they_belong() {
        let (svg, width) = (picture(), WIDTH - RIGHT - LEFT);
        let at = |share: f64| LEFT + share * width;
        // From 10 ms to 200 s, the greatest of the range, on whole powers of ten: five of them.
        let (left, widths) = (attribute(&svg, "<rect class=\"bar\"", "x"), [0.2, 0.8, 0.0, 0.8]);
        for (x, expected) in left.iter().zip([at(0.5), at(0.1), LEFT, LEFT]) {
            assert!((x - expected).abs() < 0.1, "{left:?}");
        }
        let drawn = attribute(&svg, "<rect class=\"bar\"", "width");
        assert_eq!(drawn.len(), 4);
        for (drawn, share) in drawn.iter().zip(widths) {
            assert!((drawn - (share * width).max(1.0)).abs() < 0.1, "{drawn} {share}");
        }
    }

    #[test]
    fn marks_are_at_the_medians_and_whiskers_at_the_ends() {
        let (svg, width) = (picture(), WIDTH - RIGHT - LEFT);
        let marks = attribute(&svg, "<line class=\"mark\"", "x1");
        assert!((marks[0] - (LEFT + 0.6 * width)).abs() < 0.1, "{marks:?}");
        assert!((marks[1] - (LEFT + 0.5 * width)).abs() < 0.1, "{marks:?}");
        let ends = attribute(&svg, "<line class=\"whisker\"", "x2");
        assert_eq!(ends.len(), 6, "a line and its two ends for each");
        assert!(ends.iter().all(|x| (LEFT..=WIDTH - RIGHT).contains(x)), "{ends:?}");
    }

    #[test]
    fn systems_without_all_figures_are_left_out() {
        let svg = picture();
        assert!(svg.contains(">lisle<") && svg.contains(">rayon<") && !svg.contains(">go<"));
        let failed = format!("{}\nfair-2w,go,failed,3,runs,1,3,3\n", csv::HEADER);
        assert_eq!(fairness(&failed), Ok(None));
    }

    #[test]
    fn other_cases_have_no_picture() {
        assert_eq!(fairness(&format!("{}\na,b,c,1,us,1,1,1\n", csv::HEADER)), Ok(None));
        assert!(fairness("").is_err());
    }
}
