//! What samples say: their middle, their spread, and whether two come from one distribution.

#![expect(clippy::cast_precision_loss, reason = "samples are far fewer than 2^52")]

/// The value in the middle, or the mean of the two in the middle. 0 for no values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or_default();
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|below| sorted.get(below)).copied();
    f64::midpoint(lower.unwrap_or_default(), upper)
}

/// The value that a `share` of all values does not exceed (nearest rank). 0 for no values.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is between 1 and the number of samples"
)]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or_default()
}

/// How far the values lie apart, as a share of their median. 0 for no values.
#[must_use]
pub fn spread(values: &[f64]) -> f64 {
    let median = median(values);
    if median > 0.0 { (quantile(values, 1.0) - quantile(values, 0.0)) / median } else { 0.0 }
}

/// The z-score of the Mann-Whitney U test (normal approximation, corrected for ties).
///
/// It is about standard normal if both samples come from one distribution, whatever that is;
/// positive if values of `one` tend to be larger than those of `other`.
#[must_use]
pub fn mann_whitney_z(one: &[f64], other: &[f64]) -> f64 {
    let mut values: Vec<(f64, bool)> =
        one.iter().map(|value| (*value, true)).chain(other.iter().map(|it| (*it, false))).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));

    let mut rank_sum = 0.0;
    let mut ties = 0.0;
    let mut before = 0.0;
    for equal in values.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let count = equal.len() as f64;
        let rank = before + f64::midpoint(count, 1.0);
        rank_sum += rank * equal.iter().filter(|(_, is_one)| *is_one).count() as f64;
        ties += count.powi(3) - count;
        before += count;
    }

    let (n, m) = (one.len() as f64, other.len() as f64);
    let total = n + m;
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance > 0.0 { (u - n * m / 2.0) / variance.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        assert!(close(median(&[4.0, 1.0, 3.0, 2.0]), 2.5));
        assert!(close(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(close(median(&[]), 0.0));
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values = [4.0, 1.0, 3.0, 2.0];

        assert!(close(quantile(&values, 0.25), 1.0));
        assert!(close(quantile(&values, 0.99), 4.0));
        assert!(close(quantile(&values, 0.0), 1.0));
        assert!(close(quantile(&[], 0.5), 0.0));
    }

    #[test]
    fn the_spread_is_between_the_least_and_the_largest() {
        assert!(close(spread(&[100.0, 102.0, 98.0]), 0.04));
        assert!(close(spread(&[]), 0.0));
    }

    #[test]
    fn equal_samples_have_no_score() {
        assert!(close(mann_whitney_z(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), 0.0));
        assert!(close(mann_whitney_z(&[1.0; 5], &[1.0; 7]), 0.0));
    }

    #[test]
    fn the_score_is_that_of_the_textbook() {
        // U = 0, mean 12.5, variance 5 * 5 * 11 / 12.
        let z = mann_whitney_z(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]);

        assert!(close(z, -12.5 / (275.0_f64 / 12.0).sqrt()));
    }

    #[test]
    fn the_score_turns_with_the_samples() {
        let (one, other) = ([1.0, 5.0, 5.0, 9.0], [2.0, 5.0, 7.0]);

        assert!(close(mann_whitney_z(&one, &other), -mann_whitney_z(&other, &one)));
    }

    #[test]
    fn a_shift_of_a_tenth_is_seen_in_enough_samples() {
        let one: Vec<f64> = (0..1000).map(f64::from).collect();
        let other: Vec<f64> = (0..1000).map(|value| f64::from(value) + 100.0).collect();

        assert!(mann_whitney_z(&one, &other) < -4.0);
    }
}
