//! Random numbers that are the same in every run and every system: SplitMix64.

/// A sequence of numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The sequence of that number: of a task, for instance.
    pub(crate) fn new(sequence: usize) -> Self {
        let mut seeds = Random(sequence as u64);
        Random(seeds.next())
    }

    /// A number from 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_differ_and_repeat() {
        let draw = |sequence| {
            let mut random = Random::new(sequence);
            [(); 8].map(|()| random.below(1000))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(3).iter().all(|number| *number < 1000));
    }

    /// `rival/go/random.go` must draw the same.
    #[test]
    fn numbers_are_those_of_splitmix() {
        assert_eq!(Random(0).next(), 0xe220_a839_7b1d_cdaf);
    }
}
