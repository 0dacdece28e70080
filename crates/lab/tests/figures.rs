//! Statistics and the format of the CSV.

use lisle_lab::csv;
use lisle_lab::series::{Row, Sample, Series, ratio};

fn series(values: &[f64]) -> Series {
    values.iter().copied().collect()
}

fn row(system: &str, metric: &str, values: &[f64]) -> Row {
    Row {
        case: "yield-2t-1w".to_owned(),
        system: system.to_owned(),
        metric: metric.to_owned(),
        unit: "ns".to_owned(),
        series: series(values),
    }
}

#[test]
fn median_of_odd_and_even_numbers() {
    assert_eq!(series(&[]).median(), None);
    assert_eq!(series(&[7.0]).median(), Some(7.0));
    assert_eq!(series(&[9.0, 1.0, 5.0]).median(), Some(5.0));
    assert_eq!(series(&[4.0, 1.0, 3.0, 2.0]).median(), Some(2.5));
}

#[test]
fn extremes_do_not_depend_on_the_order() {
    let series = series(&[3.0, 1.0, 2.0, 1.0]);
    assert_eq!((series.min(), series.max(), series.runs()), (Some(1.0), Some(3.0), 4));
}

#[test]
fn ratio_to_nothing_is_none() {
    assert_eq!(ratio(30.0, 20.0), Some(1.5));
    assert_eq!(ratio(30.0, 0.0), None);
    assert_eq!(ratio(0.0, 0.0), None);
}

#[test]
fn sample_is_three_words() {
    assert_eq!(Sample::parse("yield 64.5 ns"), Some(Sample::new("yield", 64.5, "ns")));
    assert_eq!(Sample::parse("yield fast ns"), None);
    assert_eq!(Sample::parse("yield NaN ns"), None);
    assert_eq!(Sample::parse("yield 64.5"), None);
    assert_eq!(Sample::parse("yield 64.5 ns each"), None);
}

#[test]
fn csv_has_a_line_per_metric() {
    let rows = [row("lisle", "yield", &[2.0, 1.0, 4.0]), row("go", "yield", &[100.1234])];
    let expected = "\
case,system,metric,value,unit,runs,min,max
yield-2t-1w,lisle,yield,2,ns,3,1,4
yield-2t-1w,go,yield,100.123,ns,1,100.123,100.123
";
    assert_eq!(csv::write(&rows), expected);
}

#[test]
fn csv_has_no_line_without_figures() {
    assert_eq!(csv::write(&[row("lisle", "yield", &[])]), format!("{}\n", csv::HEADER));
}
