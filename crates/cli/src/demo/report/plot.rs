//! Plots as inline SVG: curves on linear, logarithmic and quantile axes, and bars.
//!
//! Colours come from the page's style by class, so that they follow the reader's light or dark
//! preference; the second curve is dashed too, for those who do not tell the colours apart.

use super::short;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
/// Room for the labels of the axes.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 44.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 12.0;

/// How values are laid along an axis.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
    /// Quantiles; each further nine takes as much room as the one before.
    Nines,
}

/// A curve.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// One bar of several.
pub(super) struct Bar {
    pub(super) name: &'static str,
    pub(super) value: f64,
}

/// What a plot of curves shows.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x: Scale,
    pub(super) y: Scale,
    pub(super) x_label: &'static str,
    pub(super) y_label: &'static str,
}

impl Scale {
    /// Where a value lies, in the axis's own measure.
    fn place(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(1e-3).log10(),
            Scale::Nines => -(1.0 - value).max(1e-9).log10(),
        }
    }

    /// The ends of an axis that shows all of `values`.
    fn span(self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let places = values.map(|value| self.place(value));
        let (low, high) =
            places.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = match self {
            // Of amounts and times the whole is shown, so that lengths can be compared.
            Scale::Linear => (0.0, high * 1.05),
            Scale::Logarithmic => (low.floor(), high.ceil()),
            Scale::Nines => (0.0, high),
        };
        if high > low && (high - low).is_finite() { (low, high) } else { (0.0, 1.0) }
    }

    /// Places and texts of the axis's labels.
    fn labels(self, (low, high): (f64, f64)) -> Vec<(f64, String)> {
        let whole = (low.ceil() as i32)..=(high.floor() as i32);
        match self {
            Scale::Linear => {
                let step = nice_step((high - low) / 4.0);
                let count = ((high - low) / step) as usize;
                let values = (0..=count).map(|index| low + index as f64 * step);
                values.map(|value| (value, short(value))).collect()
            }
            Scale::Logarithmic => {
                whole.map(|power| (f64::from(power), short(10_f64.powi(power)))).collect()
            }
            Scale::Nines => whole
                .map(|nines| {
                    let digits = usize::try_from(nines - 2).unwrap_or(0);
                    let percent = 100.0 * (1.0 - 10_f64.powi(-nines));
                    (f64::from(nines), format!("{percent:.digits$} %"))
                })
                .collect(),
        }
    }
}

/// The 1, 2 or 5 with zeros that is next above `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= rough).unwrap_or(power)
}

impl Chart {
    /// The plot, as a figure of the page.
    pub(super) fn render(&self, series: &[Series]) -> String {
        let points = || series.iter().flat_map(|series| &series.points);
        let x_span = self.x.span(points().map(|point| point.0));
        let y_span = self.y.span(points().map(|point| point.1));
        let (right, base) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let x_at = |place: f64| LEFT + (place - x_span.0) / (x_span.1 - x_span.0) * (right - LEFT);
        let y_at = |place: f64| base - (place - y_span.0) / (y_span.1 - y_span.0) * (base - TOP);
        let mut svg = String::new();
        for (place, label) in self.x.labels(x_span) {
            let x = x_at(place);
            svg += &grid_line((x, TOP), (x, base));
            svg += &text((x, base + 16.0), "middle", &label);
        }
        for (place, label) in self.y.labels(y_span) {
            let y = y_at(place);
            svg += &grid_line((LEFT, y), (right, y));
            svg += &text((LEFT - 6.0, y + 4.0), "end", &label);
        }
        svg += &text((LEFT, TOP - 10.0), "start", self.y_label);
        svg += &text(((LEFT + right) / 2.0, HEIGHT - 8.0), "middle", self.x_label);
        for (index, series) in series.iter().enumerate() {
            let place = |&(x, y): &(f64, f64)| {
                format!("{:.1},{:.1} ", x_at(self.x.place(x)), y_at(self.y.place(y)))
            };
            let path: String = series.points.iter().map(place).collect();
            svg += &format!("<polyline class=\"curve stroke-{index}\" points=\"{path}\"/>\n");
        }
        figure(self.title, &(svg + &legend(series)), HEIGHT)
    }
}

fn grid_line((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
}

fn text((x, y): (f64, f64), anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

/// The curves' names, in the plot's upper right corner.
fn legend(series: &[Series]) -> String {
    let entry = |(index, curve): (usize, &Series)| {
        let x = WIDTH - RIGHT - 130.0 * (series.len() - index) as f64;
        let (end, text) = (x + 28.0, x + 34.0);
        format!(
            "<line class=\"curve stroke-{index}\" x1=\"{x}\" x2=\"{end}\" y1=\"10\" y2=\"10\"/>\
             <text x=\"{text}\" y=\"14\">{}</text>\n",
            curve.name
        )
    };
    series.iter().enumerate().map(entry).collect()
}

/// Bars, one below the other, with their values beside them.
pub(super) fn bars(title: &str, unit: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = String::new();
    for (index, bar) in bars.iter().enumerate() {
        let y = 8.0 + 40.0 * index as f64;
        let length = (bar.value / most * (WIDTH - 220.0)).max(1.0);
        svg += &format!(
            "<text x=\"80\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect class=\"fill-{index}\" x=\"90\" y=\"{y}\" width=\"{length:.1}\" \
              height=\"26\" rx=\"2\"/>\
             <text class=\"value\" x=\"{:.1}\" y=\"{}\">{} {unit}</text>\n",
            y + 18.0,
            bar.name,
            98.0 + length,
            y + 18.0,
            short(bar.value),
        );
    }
    figure(title, &svg, 8.0 + 40.0 * bars.len() as f64)
}

fn figure(title: &str, svg: &str, height: f64) -> String {
    format!(
        "<figure>\n<h2>{title}</h2>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\">\n{svg}</svg>\n</figure>\n"
    )
}
