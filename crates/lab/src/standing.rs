//! How one system did in one variant: its figures over the rounds, and its failures.

use crate::case::Taken;
use crate::series::{Row, Sample, Series};

/// After so many failures and nothing else a system is not tried again in that variant.
const PATIENCE: usize = 2;

/// How one system did in one variant.
pub(crate) struct Standing {
    pub(crate) system: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) failures: Vec<String>,
    /// What was missing among the figures of other runs, and why.
    pub(crate) omissions: Vec<String>,
    /// Rounds it was run in.
    pub(crate) rounds: usize,
}

impl Standing {
    /// Nothing was run yet.
    pub(crate) fn new(system: &'static str) -> Self {
        let (failures, omissions) = (Vec::new(), Vec::new());
        Standing { system, rows: Vec::new(), failures, omissions, rounds: 0 }
    }

    /// The row of a metric.
    pub(crate) fn row(&self, metric: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.metric == metric)
    }

    /// What is to be said of its failures and omissions.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let note = |what: &str, reasons: &[String]| {
            let (first, count) = (reasons.first()?, reasons.len());
            Some(format!("{what}: {first} ({count} of {} runs)", self.rounds))
        };
        let failed = note("failed", &self.failures);
        failed.into_iter().chain(note("left out", &self.omissions))
    }

    /// Adds what a round brought.
    pub(crate) fn add(&mut self, case: &str, outcome: Result<Taken, String>) {
        self.rounds += 1;
        match outcome {
            Ok(taken) => {
                taken.samples.into_iter().for_each(|sample| self.add_sample(case, sample));
                self.omissions.extend(taken.omitted);
            }
            Err(reason) => self.failures.push(reason),
        }
    }

    fn add_sample(&mut self, case: &str, sample: Sample) {
        match self.rows.iter_mut().find(|row| row.metric == sample.metric) {
            Some(row) => row.series.push(sample.value),
            None => self.rows.push(Row {
                case: case.to_owned(),
                system: self.system.to_owned(),
                metric: sample.metric,
                unit: sample.unit,
                series: [sample.value].into_iter().collect(),
            }),
        }
    }

    /// Whether it has only failed so far, often enough.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.failures.len() >= PATIENCE && self.failures.len() == self.rounds
    }

    /// The rows for the CSV, failures among them.
    pub(crate) fn all_rows(&self, case: &str) -> Vec<Row> {
        let mut rows = self.rows.clone();
        if !self.failures.is_empty() {
            let series: Series = [self.failures.len() as f64].into_iter().collect();
            let (system, metric) = (self.system.to_owned(), "failed".to_owned());
            let (case, unit) = (case.to_owned(), "runs".to_owned());
            rows.push(Row { case, system, metric, unit, series });
        }
        rows
    }
}
