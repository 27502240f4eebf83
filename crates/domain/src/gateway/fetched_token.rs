//! A token that somebody else's server gave, and how long it is worth keeping.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use super::claims::{Claim, Claims, whole_seconds};
use super::fetch::FetchFailure;
use crate::{Timestamp, parse_object};

/// An access token that somebody else's authorization server gave.
pub struct FetchedToken {
    token: Box<str>,
    fetched_at: Timestamp,
    ends: Ending,
    claims: OnceLock<Option<Claims>>,
}

/// When a fetched token ends, as far as anybody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nobody says.
    Unknown,
    /// It is worth nothing as soon as it was used: `expires_in` was 0 or less.
    Spent,
    /// It ends then: at the earlier of `expires_in` and `exp`.
    At(Timestamp),
}

impl FetchedToken {
    /// The longest token that is taken, in bytes: no longer one fits into a header.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Reads the answer to a successful request (RFC 6749 section 5.1) that was sent at
    /// `asked_at`. `token_type` must be Bearer, in any case, or absent; `expires_in` may be a number
    /// or a text that is one, and counts as absent else.
    ///
    /// # Errors
    ///
    /// [`FetchFailure::Unusable`], which repeats nothing of the answer.
    pub fn from_answer(body: &[u8], asked_at: Timestamp) -> Result<Self, FetchFailure> {
        let unusable = FetchFailure::Unusable;
        let answer = parse_object(body).map_err(|_| unusable("the answer is no JSON object"))?;
        match answer.get("token_type") {
            None => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
            Some(_) => return Err(unusable("token_type is not Bearer")),
        }
        let token = match answer.get("access_token") {
            Some(Value::String(token)) => token.as_str(),
            Some(_) | None => return Err(unusable("there is no access_token")),
        };
        let expires_in = match answer.get("expires_in") {
            Some(Value::Number(seconds)) => signed_seconds(&seconds.to_string()),
            Some(Value::String(text)) => signed_seconds(text.trim()),
            Some(_) | None => None,
        };
        Self::new(token, asked_at, expires_in)
    }

    fn new(
        token: &str,
        asked_at: Timestamp,
        expires_in: Option<Duration>,
    ) -> Result<Self, FetchFailure> {
        if token.is_empty() || !token.bytes().all(|it| it.is_ascii_graphic()) {
            return Err(FetchFailure::Unusable("access_token cannot be in a header"));
        }
        if Self::MAX_BYTES < token.len() {
            return Err(FetchFailure::Unusable("access_token is longer than 16 KiB"));
        }
        let claims = Claims::of_jwt(token);
        let exp = claims.as_ref().and_then(|it| it.get("exp")).and_then(Claim::as_seconds);
        let exp = exp.map(Timestamp::from_unix_seconds);
        let ends = match expires_in {
            Some(Duration::ZERO) => Ending::Spent,
            Some(span) => {
                let end = asked_at.after(span);
                Ending::At(exp.map_or(end, |exp| exp.min(end)))
            }
            None => exp.map_or(Ending::Unknown, Ending::At),
        };
        Ok(Self::restored(token.into(), asked_at, ends))
    }

    /// A token that was kept.
    #[must_use]
    pub fn restored(token: Box<str>, fetched_at: Timestamp, ends: Ending) -> Self {
        Self { token, fetched_at, ends, claims: OnceLock::new() }
    }

    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.token
    }

    /// When it was asked for.
    #[must_use]
    pub fn fetched_at(&self) -> Timestamp {
        self.fetched_at
    }

    /// When it ends.
    #[must_use]
    pub fn ends(&self) -> Ending {
        self.ends
    }

    /// Its claims, if it is a JWT; read once. Nobody has verified its signature here.
    pub fn claims(&self) -> Option<&Claims> {
        self.claims.get_or_init(|| Claims::of_jwt(&self.token)).as_ref()
    }
}

impl fmt::Debug for FetchedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedToken")
            .field("fetched_at", &self.fetched_at)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

/// What an operator says about how long tokens are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepingRules {
    /// How long a token is kept of which nobody says when it ends; `None` keeps it not at all.
    pub unless_known: Option<Duration>,
    /// The longest any is kept.
    pub at_most: Option<Duration>,
    /// The shortest any is kept, as far as it lives.
    pub at_least: Option<Duration>,
}

/// Until when a token is kept, and from when on a new one is fetched in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Nobody gets it from then on.
    pub until: Timestamp,
    /// Whoever uses it from then on has a new one fetched.
    pub renew_from: Timestamp,
}

impl Keeping {
    /// How long `token` is kept from `now` on; `None` for not at all.
    ///
    /// It is given up early by the smaller of 5 seconds and a tenth of what is left, so that it
    /// does not end on its way, and by up to another tenth that `chance` draws, so that tokens that
    /// were fetched together are not renewed together. `chance` has 16 random bits.
    #[must_use]
    pub fn of(
        token: &FetchedToken,
        rules: KeepingRules,
        now: Timestamp,
        chance: u16,
    ) -> Option<Self> {
        const MARGIN: Duration = Duration::from_secs(5);
        // A clock that was set back must not keep it for longer than it was given for.
        let asked_at = token.fetched_at().min(now);
        let (end, is_known) = match token.ends() {
            Ending::Spent => return None,
            Ending::At(end) => (end, true),
            Ending::Unknown => (asked_at.after(rules.unless_known?), false),
        };
        let mut last = end;
        if let Some(at_most) = rules.at_most {
            last = last.min(asked_at.after(at_most));
        }
        if let Some(at_least) = rules.at_least {
            // A token of which the end is known is never kept beyond it.
            let wanted = last.max(asked_at.after(at_least));
            last = if is_known { wanted.min(end) } else { wanted };
        }
        let left = last.since(now);
        let jitter = left / 10 * u32::from(chance) / u32::from(u16::MAX);
        let kept = left.saturating_sub(MARGIN.min(left / 10)).saturating_sub(jitter);
        if kept.is_zero() {
            return None;
        }
        // The last tenth, give or take a half.
        let ahead = kept / 20 + kept / 10 * u32::from(chance.rotate_left(8)) / u32::from(u16::MAX);
        Some(Self { until: now.after(kept), renew_from: now.after(kept.saturating_sub(ahead)) })
    }
}

/// Seconds, rounded down: zero for what is zero or less, `None` for what is no number of JSON
/// (Rust also reads "inf" and "NaN").
fn signed_seconds(text: &str) -> Option<Duration> {
    // Nobody means a century; what is longer must not overflow anybody's clock.
    const LONGEST: u64 = 100 * 365 * 24 * 60 * 60;
    let is_number = text.bytes().all(|it| it.is_ascii_digit() || b"+-.eE".contains(&it));
    let seconds: f64 = text.parse().ok().filter(|_| is_number)?;
    if seconds <= 0.0 {
        return Some(Duration::ZERO);
    }
    let whole = whole_seconds(text).unwrap_or(LONGEST).min(LONGEST);
    // A fraction of a second is not worth keeping a token for, and is not zero either.
    Some(if whole == 0 { Duration::from_millis(1) } else { Duration::from_secs(whole) })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000);

    fn answered(body: &str) -> Result<FetchedToken, FetchFailure> {
        FetchedToken::from_answer(body.as_bytes(), NOW)
    }

    fn ends(expires_in: &str) -> Ending {
        answered(&format!(r#"{{"access_token":"x","expires_in":{expires_in}}}"#)).unwrap().ends()
    }

    fn jwt(claims: &str) -> String {
        let part = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
        format!("{}.{}.sig", part(r#"{"alg":"RS256"}"#), part(claims))
    }

    fn at(seconds: u64) -> Ending {
        Ending::At(Timestamp::from_unix_seconds(1_000 + seconds))
    }

    fn kept(ends: Ending, rules: KeepingRules, chance: u16) -> Option<(u64, u64)> {
        let token = FetchedToken::restored("x".into(), NOW, ends);
        let keeping = Keeping::of(&token, rules, NOW, chance)?;
        let from_now = |it: Timestamp| u64::try_from(it.since(NOW).as_millis()).unwrap();
        Some((from_now(keeping.until), from_now(keeping.renew_from)))
    }

    #[test]
    fn a_number_and_a_text_that_is_one_are_alike() {
        for (written, expected) in [
            ("60", at(60)),
            ("\"60\"", at(60)),
            ("\" 60 \"", at(60)),
            ("60.9", at(60)),
            ("1e2", at(100)),
            ("0", Ending::Spent),
            ("-1", Ending::Spent),
            ("\"0\"", Ending::Spent),
            ("null", Ending::Unknown),
            ("true", Ending::Unknown),
            ("\"soon\"", Ending::Unknown),
            ("\"inf\"", Ending::Unknown),
            ("\"NaN\"", Ending::Unknown),
            ("\"\"", Ending::Unknown),
            ("[60]", Ending::Unknown),
            ("1e300", at(100 * 365 * 24 * 60 * 60)),
        ] {
            assert_eq!(ends(written), expected, "{written}");
        }
    }

    #[test]
    fn the_earlier_of_expires_in_and_exp_ends_a_token() {
        let ends = |members: &str, exp: &str| {
            let token = jwt(&format!(r#"{{"exp":{exp}}}"#));
            answered(&format!(r#"{{"access_token":"{token}"{members}}}"#)).unwrap().ends()
        };

        assert_eq!(ends("", "1060"), at(60));
        assert_eq!(ends(r#","expires_in":30"#, "1060"), at(30));
        assert_eq!(ends(r#","expires_in":90"#, "1060"), at(60));
        assert_eq!(ends(r#","expires_in":0"#, "1060"), Ending::Spent);
        assert_eq!(ends(r#","expires_in":"x""#, "1060"), at(60));
        assert_eq!(ends("", "\"1060\""), Ending::Unknown);
    }

    #[test]
    fn an_answer_without_a_usable_token_is_of_no_use() {
        let long = "a".repeat(16 * 1024 + 1);
        for body in [
            String::new(),
            "[]".to_owned(),
            "{\"access_token\":\"x\"".to_owned(),
            "{}".to_owned(),
            r#"{"access_token":""}"#.to_owned(),
            r#"{"access_token":null}"#.to_owned(),
            r#"{"access_token":7}"#.to_owned(),
            r#"{"access_token":"a b"}"#.to_owned(),
            r#"{"access_token":"a\r\nb: c"}"#.to_owned(),
            r#"{"access_token":"é"}"#.to_owned(),
            r#"{"access_token":"x","access_token":"y"}"#.to_owned(),
            r#"{"access_token":"x","token_type":"mac"}"#.to_owned(),
            r#"{"access_token":"x","token_type":null}"#.to_owned(),
            format!(r#"{{"access_token":"{long}"}}"#),
        ] {
            let refused = answered(&body);
            assert!(matches!(refused, Err(FetchFailure::Unusable(_))), "{body:.60}");
        }
        for kind in ["bearer", "Bearer", "BEARER"] {
            assert!(answered(&format!(r#"{{"access_token":"x","token_type":"{kind}"}}"#)).is_ok());
        }
    }

    #[test]
    fn a_token_is_given_up_early_and_renewed_before() {
        let none = KeepingRules::default();
        // The smaller of 5 seconds and a tenth; chance takes another tenth.
        assert_eq!(kept(at(60), none, 0), Some((55_000, 52_250)));
        assert_eq!(kept(at(10), none, 0), Some((9_000, 8_550)));
        assert_eq!(kept(at(60), none, u16::MAX).unwrap().0, 49_000);
        assert_eq!(kept(Ending::Spent, none, 0), None);
        assert_eq!(kept(Ending::Unknown, none, 0), None);
        assert_eq!(kept(at(0), none, 0), None);
    }

    #[test]
    fn an_operator_bounds_how_long_tokens_are_kept() {
        let seconds = |it| Some(Duration::from_secs(it));
        let rules = KeepingRules { unless_known: seconds(100), at_most: None, at_least: None };
        assert_eq!(kept(Ending::Unknown, rules, 0).unwrap().0, 95_000);
        assert_eq!(kept(at(1_000), rules, 0).unwrap().0, 995_000);

        let rules = KeepingRules { at_most: seconds(50), ..rules };
        assert_eq!(kept(Ending::Unknown, rules, 0).unwrap().0, 45_000);
        assert_eq!(kept(at(1_000), rules, 0).unwrap().0, 45_000);

        let rules = KeepingRules { at_least: seconds(200), at_most: None, ..rules };
        assert_eq!(kept(Ending::Unknown, rules, 0).unwrap().0, 195_000);
        assert_eq!(kept(at(30), rules, 0).unwrap().0, 27_000);
    }

    #[test]
    fn t45_a_clock_that_was_set_back_keeps_nothing_for_longer() {
        let token = FetchedToken::restored("x".into(), NOW, Ending::Unknown);
        let rules =
            KeepingRules { unless_known: Some(Duration::from_mins(1)), ..Default::default() };
        let earlier = NOW.before(Duration::from_secs(500));

        let keeping = Keeping::of(&token, rules, earlier, 0).unwrap();

        assert!(keeping.until <= earlier.after(Duration::from_mins(1)));
    }

    #[test]
    fn t37_a_token_does_not_betray_itself_in_a_debug_log() {
        let token = FetchedToken::restored("hunter2".into(), NOW, Ending::Unknown);

        assert!(!format!("{token:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_token_is_kept_beyond_its_end(seconds in 0..100_000_u64, chance: u16) {
            if let Some((until, renew_from)) = kept(at(seconds), KeepingRules::default(), chance) {
                prop_assert!(until < seconds * 1_000);
                prop_assert!(renew_from <= until);
                // The margin and the jitter take a fifth at most.
                prop_assert!(seconds * 1_000 * 8 / 10 <= until + 1);
            }
        }

        #[test]
        fn never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = FetchedToken::from_answer(&body, NOW);
        }
    }
}
