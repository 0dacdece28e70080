//! Random numbers that a seed repeats: a linear congruential generator.

/// A generator; equal seeds give equal numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
        // Neighbouring seeds differ in low bits only; a few steps carry that to the high ones.
        for _ in 0..4 {
            random.below(2);
        }
        random
    }

    /// A number in `0..bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX constants; the high bits are the good ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    /// A generator of its own, for another coroutine.
    pub(crate) fn fork(&mut self) -> Random {
        Random::new(self.0.rotate_left(17))
    }
}
