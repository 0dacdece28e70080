//! A histogram of latencies that is exact enough at every scale.
//!
//! Buckets are linear inside a power of two and there are 64 of them in each, so a bucket is never
//! wider than a 64th of its values: what is read out is at most 1.6 % too large, for nanoseconds
//! and hours alike, in 30 kB.
//!
//! ```text
//!   value        0..63   64..127   128..255   256..511   ...   2^63..2^64-1
//!   bucket width   1        1         2          4       ...       2^57
//!   bucket       0..63   64..127   128..191   192..255   ...   3712..3775
//! ```
//!
//! Rejected: keeping all samples (memory grows with the run), powers of two alone (a p99 that is
//! off by a factor of two hides what one looks for), a sketch with a merge rule (more code, and its
//! answer depends on the order of merging).

use std::fmt::{self, Write};

/// Buckets per power of two, as a power of two.
const SUB_BITS: u32 = 6;
const SUB: usize = 1 << SUB_BITS;
/// The values below `SUB` and the 58 powers of two from there on.
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) * SUB;
/// What the text form begins with; changes when its meaning does.
const TAG: &str = "hist1";

/// How often values of each size were recorded.
///
/// ```
/// use lisle_core::Histogram;
///
/// let mut latency = Histogram::new();
/// for value in 1..=100 {
///     latency.record(value);
/// }
/// assert_eq!((latency.quantile(0.5), latency.max()), (50, 100));
/// assert_eq!(Histogram::from_text(&latency.to_text()), Ok(latency));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    /// `BUCKETS` counters.
    buckets: Box<[u64]>,
    count: u64,
    max: u64,
    /// Exact, so the mean is too. Cannot overflow: 2^64 values below 2^64.
    sum: u128,
}

/// One non-empty bucket of a [`Histogram`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// The least value that falls into it.
    pub low: u64,
    /// The greatest value that falls into it.
    pub high: u64,
    /// How many values have.
    pub count: u64,
}

/// What is wrong with a text that should have been a [`Histogram`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseHistogramError {
    /// It does not begin like the text form of this version.
    Tag,
    /// A number is missing, is none, or is too large.
    Number,
    /// A bucket that does not exist, is empty or is out of order.
    Bucket,
    /// The buckets do not add up to the count.
    Count,
}

impl Histogram {
    /// A histogram of nothing.
    pub fn new() -> Self {
        Self { buckets: vec![0; BUCKETS].into_boxed_slice(), count: 0, max: 0, sum: 0 }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.buckets[index_of(value)] += 1;
        self.count += 1;
        self.max = self.max.max(value);
        self.sum += u128::from(value);
    }

    /// Counts all values of `other` too.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
        self.sum += other.sum;
    }

    /// A value that the fraction `q` of all values does not exceed, at most 1.6 % too large; 0 if
    /// there are none. `quantile(0.5)` is the median.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        self.iter()
            .find(|bucket| {
                seen += bucket.count;
                seen >= rank
            })
            .map_or(self.max, |bucket| bucket.high.min(self.max))
    }

    /// The greatest value, exactly; 0 if there are none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean of all values, exactly; 0 if there are none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The non-empty buckets, smallest values first.
    pub fn iter(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.filled().map(|(index, count)| Bucket {
            low: low_of(index),
            high: high_of(index),
            count,
        })
    }

    /// One line of text, for another process: tag, maximum, sum, count, then `bucket:count` for the
    /// non-empty buckets.
    pub fn to_text(&self) -> String {
        let mut text = format!("{TAG} {} {} {}", self.max, self.sum, self.count);
        for (index, count) in self.filled() {
            write!(text, " {index}:{count}").expect("a String takes everything");
        }
        text
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    pub fn from_text(text: &str) -> Result<Self, ParseHistogramError> {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(TAG) {
            return Err(ParseHistogramError::Tag);
        }
        let mut read = Self::new();
        read.max = number(words.next())?;
        read.sum = number(words.next())?;
        read.count = number(words.next())?;
        let mut total = 0_u64;
        let mut from = 0;
        for word in words {
            let (index, count) = word.split_once(':').ok_or(ParseHistogramError::Number)?;
            let (index, count) = (number::<usize>(Some(index))?, number(Some(count))?);
            if !(from..BUCKETS).contains(&index) || count == 0 {
                return Err(ParseHistogramError::Bucket);
            }
            read.buckets[index] = count;
            total = total.checked_add(count).ok_or(ParseHistogramError::Count)?;
            from = index + 1;
        }
        if total == read.count { Ok(read) } else { Err(ParseHistogramError::Count) }
    }

    /// Index and count of the non-empty buckets.
    fn filled(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.buckets.iter().copied().enumerate().filter(|&(_, count)| count != 0)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ParseHistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag => "not a histogram of this version",
            Self::Number => "a number of the histogram is missing or malformed",
            Self::Bucket => "a bucket of the histogram is unknown, empty or out of order",
            Self::Count => "the buckets of the histogram do not add up",
        })
    }
}

impl std::error::Error for ParseHistogramError {}

fn number<N: std::str::FromStr>(word: Option<&str>) -> Result<N, ParseHistogramError> {
    word.and_then(|word| word.parse().ok()).ok_or(ParseHistogramError::Number)
}

/// The bucket a value falls into.
fn index_of(value: u64) -> usize {
    // How many low bits the bucket does not tell apart.
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
    // The leading bit of `value >> shift`, if there is one at SUB, carries into the next 64.
    shift as usize * SUB + (value >> shift) as usize
}

/// The least value of a bucket: the inverse of [`index_of`].
fn low_of(index: usize) -> u64 {
    let shift = (index / SUB).saturating_sub(1);
    ((index - shift * SUB) as u64) << shift
}

/// The greatest value of a bucket.
fn high_of(index: usize) -> u64 {
    let shift = (index / SUB).saturating_sub(1);
    low_of(index) + ((1 << shift) - 1)
}
