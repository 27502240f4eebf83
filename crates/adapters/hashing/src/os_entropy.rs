//! Randomness of the operating system.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use domain::Fault;
use domain::port::Entropy;

/// Randomness of the operating system, by way of aws-lc's generator.
#[derive(Clone, Debug, Default)]
pub struct OsEntropy {
    random: SystemRandom,
}

impl OsEntropy {
    /// The generator of this process.
    #[must_use]
    pub fn new() -> Self {
        Self { random: SystemRandom::new() }
    }
}

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.random.fill(bytes).map_err(Fault::unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fillings_differ() {
        let (mut one, mut other) = ([0; 32], [0; 32]);

        OsEntropy::new().fill(&mut one).unwrap();
        OsEntropy::new().fill(&mut other).unwrap();

        assert_ne!(one, other);
        assert_ne!(one, [0; 32]);
    }
}
