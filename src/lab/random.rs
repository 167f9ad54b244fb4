//! A seeded pseudorandom number generator, so that a bootstrap can be reproduced from its seed.
//!
//! The algorithm is `SplitMix64`, with a period of 2⁶⁴. The sequence is the same on every machine and in
//! every version of this program, which libraries do not guarantee. It is not cryptographically secure.
//!
//! Source: G. L. Steele, D. Lea, C. H. Flood, *Fast Splittable Pseudorandom Number Generators*,
//! OOPSLA 2014, <https://doi.org/10.1145/2660193.2660195>.

/// The state of the generator.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator with this seed. All seeds are equally good.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A uniformly distributed index below `bound`; 0 if `bound` is 0.
    ///
    /// It is computed by multiplication and shift, with a bias of at most `bound` / 2⁶⁴.
    #[expect(clippy::cast_possible_truncation, reason = "the upper half is below the bound")]
    pub fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next_u64()) * bound as u128;
        (product >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sequence was computed apart from this code, in Python integers from the paper's listing.
    #[test]
    fn the_sequence_is_the_papers() {
        let mut random = SplitMix64::new(1_234_567);
        for expected in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            assert_eq!(random.next_u64(), expected);
        }
    }

    #[test]
    fn every_index_below_the_bound_is_drawn_about_equally_often() {
        let mut random = SplitMix64::new(7);
        let mut drawn = [0_u32; 6];
        for _ in 0..60_000 {
            drawn[random.below(6)] += 1;
        }
        // Six standard deviations of a binomial(60000, 1/6) are 548.
        for count in drawn {
            assert!(count.abs_diff(10_000) < 548, "{drawn:?}");
        }
    }
}
