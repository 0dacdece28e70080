//! The histogram against the sorted list of what was recorded.
#![cfg(not(loom))]

use lisle_core::{Histogram, ParseHistogramError};
use proptest::prelude::*;

fn of(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    values.iter().for_each(|&value| histogram.record(value));
    histogram
}

#[test]
fn nothing_recorded() {
    let empty = Histogram::new();
    assert_eq!((empty.count(), empty.max(), empty.quantile(0.5), empty.mean()), (0, 0, 0, 0.0));
    assert_eq!(empty.iter().count(), 0);
    assert_eq!(empty.to_text(), "hist1 0 0 0");
    assert_eq!(Histogram::from_text("hist1 0 0 0"), Ok(empty));
}

#[test]
fn extremes_have_buckets() {
    let histogram = of(&[0, 1, u64::MAX, u64::MAX]);
    assert_eq!((histogram.quantile(0.0), histogram.quantile(1.0)), (0, u64::MAX));
    let last = histogram.iter().last().unwrap();
    assert_eq!((last.high, last.count), (u64::MAX, 2));
}

#[test]
fn small_values_are_exact() {
    let histogram = of(&(0..128).collect::<Vec<_>>());
    assert!(histogram.iter().all(|bucket| bucket.low == bucket.high && bucket.count == 1));
    assert_eq!(histogram.mean(), 63.5);
}

#[test]
fn broken_texts_are_refused() {
    use ParseHistogramError::{Bucket, Count, Number, Tag};
    for (text, error) in [
        ("", Tag),
        ("hist2 0 0 0", Tag),
        ("hist1 0 0", Number),
        ("hist1 0 0 x", Number),
        ("hist1 1 1 1 1", Number),
        ("hist1 1 1 1 3776:1", Bucket),
        ("hist1 1 1 1 1:0", Bucket),
        ("hist1 1 2 2 1:1 1:1", Bucket),
        ("hist1 1 1 2 1:1", Count),
    ] {
        assert_eq!(Histogram::from_text(text), Err(error), "{text:?}");
    }
}

/// Values of every magnitude, not only large ones.
fn value() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
}

proptest! {
    #[test]
    fn buckets_hold_their_values(value in value()) {
        let bucket = of(&[value]).iter().next().unwrap();
        prop_assert!((bucket.low..=bucket.high).contains(&value));
        prop_assert!(bucket.high - bucket.low <= bucket.low / 64);
    }

    #[test]
    fn quantiles_are_close(
        mut values in prop::collection::vec(value(), 1..200),
        q in 0.0..=1.0_f64,
    ) {
        let histogram = of(&values);
        values.sort_unstable();
        let rank = ((q * values.len() as f64).ceil() as usize).max(1);
        let exact = values[rank - 1];
        let got = histogram.quantile(q);
        prop_assert!(got >= exact && got - exact <= exact / 64, "{got} for {exact}");
        prop_assert_eq!(histogram.max(), values[values.len() - 1]);
    }

    #[test]
    fn merging_is_recording_both(
        a in prop::collection::vec(value(), 0..50),
        b in prop::collection::vec(value(), 0..50),
    ) {
        let mut merged = of(&a);
        merged.merge(&of(&b));
        prop_assert_eq!(merged, of(&[a, b].concat()));
    }

    #[test]
    fn text_comes_back(values in prop::collection::vec(value(), 0..100)) {
        let histogram = of(&values);
        prop_assert_eq!(Histogram::from_text(&histogram.to_text()), Ok(histogram));
    }
}
