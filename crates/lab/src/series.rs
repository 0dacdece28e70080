//! Figures of one metric over the rounds: [`Series`], and the [`Row`] that is written of it.

/// One figure, as a harness program prints it: `metric value unit`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was measured.
    pub metric: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: String,
}

impl Sample {
    /// A figure.
    pub fn new(metric: &str, value: f64, unit: &str) -> Self {
        Sample { metric: metric.to_owned(), value, unit: unit.to_owned() }
    }

    /// Reads `metric value unit`.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (metric, value, unit) = (words.next()?, words.next()?, words.next()?);
        let value: f64 = value.parse().ok().filter(|value: &f64| value.is_finite())?;
        words.next().is_none().then(|| Sample::new(metric, value, unit))
    }
}

/// The figures of one metric, one per successful run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    sorted: Vec<f64>,
}

impl Series {
    /// Adds a figure.
    pub fn push(&mut self, value: f64) {
        let at = self.sorted.partition_point(|other| *other <= value);
        self.sorted.insert(at, value);
    }

    /// The number of figures.
    pub fn runs(&self) -> usize {
        self.sorted.len()
    }

    /// The middle figure; between the two middle ones if their number is even.
    pub fn median(&self) -> Option<f64> {
        let last = self.sorted.len().checked_sub(1)?;
        Some((self.sorted[last / 2] + self.sorted[last.div_ceil(2)]) / 2.0)
    }

    /// The least figure.
    pub fn min(&self) -> Option<f64> {
        self.sorted.first().copied()
    }

    /// The greatest figure.
    pub fn max(&self) -> Option<f64> {
        self.sorted.last().copied()
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut series = Series::default();
        values.into_iter().for_each(|value| series.push(value));
        series
    }
}

/// How many times `base` goes into `value`; none if that says nothing.
pub fn ratio(value: f64, base: f64) -> Option<f64> {
    Some(value / base).filter(|ratio| ratio.is_finite() && base != 0.0)
}

/// What is written of one metric of one system in one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The variant of the case.
    pub case: String,
    /// The system.
    pub system: String,
    /// What was measured. `failed` counts the runs without figures.
    pub metric: String,
    /// The unit of the figures.
    pub unit: String,
    /// The figures.
    pub series: Series,
}
