//! What plots are drawn with: axes of time, and the few shapes of SVG that they need.
//!
//! The files stand alone, so they bring their style, in light and in dark. It is that of the
//! demonstration's page in `lisle-cli`.
//!
//! Ways not taken: 1. The plots of `lisle-cli` for both: that crate imports this one, a crate of
//! its own for two hundred lines would be published with it, and those plots are parts of a page.
//! 2. A library: nothing here is difficult.

/// The width of a drawing.
pub(crate) const WIDTH: f64 = 720.0;

/// Without variables, which not everything that shows SVG knows.
const STYLE: &str = "\
text { fill: #68707d; font: 12px system-ui, sans-serif; }
.title { fill: #1c2330; font-size: 14px; font-weight: 600; }
.value { fill: #1c2330; font-weight: 600; }
.back { fill: #fff; }
.grid { stroke: #dde1e7; }
.bar { fill: #2467d6; }
.whisker { stroke: #2467d6; stroke-width: 2; }
.mark { stroke: #d9771f; stroke-width: 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #9aa3b0; }
  .title, .value { fill: #e6e9ee; }
  .back { fill: #14181f; }
  .grid { stroke: #333b47; }
  .bar { fill: #6ea2ff; }
  .whisker { stroke: #6ea2ff; }
  .mark { stroke: #f0a35c; }
}
";

/// How times are laid along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Logarithmic,
}

/// A horizontal axis of times in microseconds.
pub(crate) struct Axis {
    scale: Scale,
    /// The ends, in the axis's own measure.
    span: (f64, f64),
    /// Where the ends are.
    left: f64,
    right: f64,
}

impl Axis {
    /// An axis from `left` to `right` that shows all of `times`.
    pub(crate) fn over(
        scale: Scale,
        times: impl Iterator<Item = f64>,
        (left, right): (f64, f64),
    ) -> Self {
        let places = times.map(|time| scale.place(time));
        let (low, high) =
            places.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let span = match scale {
            // From nothing on, so that lengths can be compared.
            Scale::Linear => (0.0, high),
            Scale::Logarithmic => (low.floor(), high.ceil()),
        };
        let is_sound = span.1 > span.0 && (span.1 - span.0).is_finite();
        Axis { scale, span: if is_sound { span } else { (0.0, 1.0) }, left, right }
    }

    /// Where a time lies.
    pub(crate) fn x(&self, time: f64) -> f64 {
        let share = (self.scale.place(time) - self.span.0) / (self.span.1 - self.span.0);
        self.left + share * (self.right - self.left)
    }

    /// Its grid from `top` to `base`, and the labels below.
    pub(crate) fn draw(&self, top: f64, base: f64) -> String {
        let mut svg = String::new();
        for time in self.ticks() {
            let x = self.x(time);
            svg += &line("grid", (x, top), (x, base));
            svg += &text("", (x, base + 16.0), "middle", &words(time));
        }
        svg
    }

    fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.span;
        match self.scale {
            Scale::Linear => {
                let step = nice_step((high - low) / 6.0);
                (0..=((high - low) / step) as usize).map(|index| index as f64 * step).collect()
            }
            Scale::Logarithmic => (low as i32..=high as i32).map(|p| 10_f64.powi(p)).collect(),
        }
    }
}

impl Scale {
    fn place(self, time: f64) -> f64 {
        match self {
            Scale::Linear => time,
            // What is below a nanosecond was not measured.
            Scale::Logarithmic => time.max(1e-3).log10(),
        }
    }
}

/// The 1, 2 or 5 with zeros that is next above `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= rough).unwrap_or(power)
}

/// A time in microseconds, with the unit that suits it and three digits.
pub(crate) fn words(time: f64) -> String {
    let (value, unit) = match time {
        0.0 => return "0".to_owned(),
        ..0.9995 => (time * 1e3, "ns"),
        ..999.5 => (time, "us"),
        ..999_500.0 => (time / 1e3, "ms"),
        _ => (time / 1e6, "s"),
    };
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let number = format!("{value:.decimals$}");
    match number.contains('.') {
        true => format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.')),
        false => format!("{number} {unit}"),
    }
}

pub(crate) fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!(
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
    )
}

/// A bar from `x1` to `x2` whose middle is at `y`; never so short that it cannot be seen.
pub(crate) fn bar((x1, x2): (f64, f64), y: f64, height: f64) -> String {
    let (top, width) = (y - height / 2.0, (x2 - x1).max(1.0));
    format!(
        "<rect class=\"bar\" x=\"{x1:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\" rx=\"2\"/>\n"
    )
}

/// A text whose words need no escaping.
pub(crate) fn text(class: &str, (x, y): (f64, f64), anchor: &str, text: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<text{class} x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

/// The file.
pub(crate) fn document(title: &str, content: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\">\n<style>\n{STYLE}</style>\n\
         <rect class=\"back\" width=\"{WIDTH}\" height=\"{height}\"/>\n{content}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_axis_begins_at_nothing() {
        let axis = Axis::over(Scale::Linear, [30.0, 60.0].into_iter(), (100.0, 400.0));
        assert_eq!([0.0, 30.0, 60.0].map(|time| axis.x(time)), [100.0, 250.0, 400.0]);
        assert_eq!(axis.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    }

    #[test]
    fn logarithmic_axis_has_whole_powers_at_its_ends() {
        let axis = Axis::over(Scale::Logarithmic, [20.0, 3000.0].into_iter(), (0.0, 300.0));
        assert_eq!([10.0, 100.0, 10_000.0].map(|time| axis.x(time)), [0.0, 100.0, 300.0]);
        assert_eq!(axis.ticks(), [10.0, 100.0, 1000.0, 10_000.0]);
    }

    #[test]
    fn axis_of_nothing_is_one() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            assert!(Axis::over(scale, [].into_iter(), (0.0, 1.0)).x(1.0).is_finite());
        }
    }

    #[test]
    fn times_have_units() {
        let expected = ["0", "500 ns", "1 us", "12.5 us", "1 ms", "100 ms", "1 s", "61.2 s"];
        let times = [0.0, 0.5, 1.0, 12.5, 999.7, 1e5, 1e6, 61.2e6];
        assert_eq!(times.map(words), expected);
    }
}
