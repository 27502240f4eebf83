//! Bytes that only look random.

use std::sync::Mutex;

use domain::Fault;
use domain::port::Entropy;

use crate::lock::locked;

/// Bytes that only look random: one seed always makes the same ones. Never make anything from
/// them that has to be a secret.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// The bytes that follow from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Default for SeededEntropy {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        let mut state = locked(&self.0);
        for chunk in bytes.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(split_mix(&mut state).to_le_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

/// `SplitMix64`: every state is a good one, zero too.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(entropy: &SeededEntropy) -> [u8; 11] {
        let mut bytes = [0; 11];
        entropy.fill(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn one_seed_makes_the_same_bytes_and_never_the_same_twice() {
        let (one, other) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let first = filled(&one);

        assert_eq!(first, filled(&other));
        assert_ne!(first, filled(&one));
        assert_ne!(first, filled(&SeededEntropy::new(8)));
    }
}
