//! Latencies: a log-linear histogram, 64 buckets per power of two, so at most 1.6 % off.

/// Buckets per power of two, as a power of two.
const STEPS: u32 = 6;

/// Counts of values by size.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Histogram { counts: vec![0; 64 << STEPS], total: 0, max: 0 }
    }

    /// Counts a value.
    pub(crate) fn record(&mut self, value: u64) {
        self.counts[index(value)] += 1;
        self.total += 1;
        self.max = self.max.max(value);
    }

    /// The number of values.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The greatest value.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// The value that `fraction` of the values do not exceed; 0 if there are none.
    pub(crate) fn quantile(&self, fraction: f64) -> u64 {
        let wanted = (fraction * self.total as f64) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen > wanted {
                return floor(index);
            }
        }
        self.max
    }
}

/// The bucket of a value: itself while small, then the exponent and the bits after the first.
fn index(value: u64) -> usize {
    let exponent = value.checked_ilog2().unwrap_or(0);
    if exponent < STEPS {
        return value as usize;
    }
    let shift = exponent - STEPS;
    let step = (value >> shift) as usize & ((1 << STEPS) - 1);
    ((shift as usize + 1) << STEPS) + step
}

/// The least value of a bucket.
fn floor(index: usize) -> u64 {
    let step = (index & ((1 << STEPS) - 1)) as u64;
    match index >> STEPS {
        0 => step,
        power => (step | 1 << STEPS) << (power - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_fine_enough() {
        for value in [0, 1, 63, 64, 65, 1000, 123_456, u64::from(u32::MAX), u64::MAX / 3] {
            let floor = floor(index(value));
            assert!(floor <= value && value - floor <= value / 64, "{value} in {floor}");
        }
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), 0);
        (0..10_000).for_each(|value| histogram.record(value));
        assert_eq!(histogram.total(), 10_000);
        assert_eq!(histogram.max(), 9999);
        let middle = histogram.quantile(0.5);
        assert!((4900..=5000).contains(&middle), "{middle}");
    }
}
