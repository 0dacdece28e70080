//! Quantiles of times that were all kept: exact, and it costs a task no more than a push.

use std::time::Duration;

use crate::report;

/// Times of one kind, in nanoseconds.
#[derive(Default)]
pub(crate) struct Times(Vec<u64>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time.as_nanos() as u64);
    }

    pub(crate) fn append(&mut self, mut other: Times) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Reports these quantiles in microseconds, each under its name. 1 is the greatest time.
    pub(crate) fn report(mut self, quantiles: &[(&str, f64)]) {
        self.0.sort_unstable();
        for (name, quantile) in quantiles {
            report(name, self.sorted(*quantile) as f64 / 1e3, "us");
        }
    }

    /// A quantile of what is sorted: the least time that so many are not above.
    fn sorted(&self, quantile: f64) -> u64 {
        let rank = (quantile * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or(0)
    }
}

impl FromIterator<u64> for Times {
    fn from_iter<I: IntoIterator<Item = u64>>(nanoseconds: I) -> Self {
        Times(nanoseconds.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_rank() {
        let times: Times = (1..=100).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|q| times.sorted(q)), [1, 50, 99, 100]);
        assert_eq!(Times::default().sorted(0.5), 0);
    }
}
