use super::*;
use crate::PrivateKeyPem;

const POLICY: KeyPolicy = KeyPolicy {
    cache_for: Duration::from_mins(4),
    publish_before_use: Duration::from_mins(5),
    keep_retired: Duration::from_hours(1),
    rotate_every: Some(Duration::from_hours(24)),
    clock_skew: Duration::from_mins(2),
};
const RS256: SigningAlgorithm = SigningAlgorithm::Rs256;
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;
const DAY: Duration = Duration::from_hours(24);

fn key(id: &str, state: KeyState, created_at: u64) -> SigningKey {
    SigningKey {
        id: id.parse().unwrap(),
        algorithm: RS256,
        state,
        private_key: PrivateKeyPem::new(String::new()),
        created_at: Timestamp::from_unix_seconds(created_at),
        retired_at: None,
    }
}

fn of(keys: impl IntoIterator<Item = SigningKey>) -> KeySet {
    KeySet { revision: 1, keys: keys.into_iter().collect() }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn states(set: &KeySet) -> Vec<(&str, KeyState)> {
    set.keys.iter().map(|key| (key.id.as_str(), key.state)).collect()
}

#[test]
fn keys_take_turns() {
    let set = of([key("a", KeyState::Active, 0), key("b", KeyState::Next, 0)]);
    let now = at(1_000);

    let turned = set.rotated(RS256, key("c", KeyState::Next, 1_000), &POLICY, false, now).unwrap();

    assert_eq!(
        states(&turned),
        [("a", KeyState::Retired), ("b", KeyState::Active), ("c", KeyState::Next)]
    );
    assert_eq!(turned.keys[0].retired_at, Some(now));
}

#[test]
fn t45_a_key_is_published_before_it_signs_by_whichever_clock() {
    let set = of([key("a", KeyState::Active, 0), key("b", KeyState::Next, 1_000)]);
    let fresh = || key("c", KeyState::Next, 1_000);
    let turn = |now, is_forced| set.rotated(RS256, fresh(), &POLICY, is_forced, at(now));

    // Five minutes, and two by which our clock may be ahead of the one that wrote the moment down.
    assert!(matches!(turn(1_419, false), Err(RotationRefusal::TooEarly { .. })));
    assert!(turn(1_420, false).is_ok());
    assert!(matches!(turn(0, false), Err(RotationRefusal::TooEarly { .. })), "set back");
    assert_eq!(turn(1_000, true).unwrap().active(RS256).unwrap().id.as_str(), "b");
}

#[test]
fn without_a_next_key_the_fresh_one_is_published_only() {
    let set = of([key("a", KeyState::Active, 0)]);

    let fresh = key("b", KeyState::Next, 1_000);
    let turned = set.rotated(RS256, fresh, &POLICY, false, at(1_000)).unwrap();

    assert_eq!(states(&turned), [("a", KeyState::Active), ("b", KeyState::Next)]);
}

#[test]
fn a_turn_is_due_when_the_last_one_is_as_old_as_the_policy_says() {
    let set = of([key("a", KeyState::Active, 0), key("b", KeyState::Next, 0)]);
    let is_due = |policy: &KeyPolicy, now| set.is_due(RS256, policy, DAY, at(now));

    let short = |now| set.is_due(RS256, &POLICY, Duration::from_mins(5), at(now));
    assert!(!short(86_399));
    assert!(short(86_400));
    assert!(is_due(&POLICY, 0), "set back: what the node saw itself counts");
    assert!(!is_due(&KeyPolicy { rotate_every: None, ..POLICY }, 1_000_000));
    assert!(!set.is_due(ES256, &POLICY, DAY, at(1_000_000)));
}

/// A clock that is far ahead, or was far behind when the key was made, makes nothing sign that this
/// node has not seen published for long enough.
#[test]
fn t45_no_clock_makes_a_key_sign_that_was_not_seen_for_long_enough() {
    let set = of([key("a", KeyState::Active, 0), key("b", KeyState::Next, 0)]);
    let is_due = |seen| set.is_due(RS256, &POLICY, Duration::from_secs(seen), at(100_000_000));

    assert!(!is_due(0));
    assert!(!is_due(299));
    assert!(is_due(300));
}

/// A node that is started again every day rotates, too.
#[test]
fn a_key_that_is_published_for_days_need_not_be_watched_for_days() {
    let policy = KeyPolicy { publish_before_use: DAY * 7, ..POLICY };
    let set = of([key("a", KeyState::Active, 0), key("b", KeyState::Next, 0)]);
    let is_due = |seen, now| set.is_due(RS256, &policy, Duration::from_secs(seen), at(now));
    let week = 7 * 86_400;

    assert!(!is_due(3_599, week + 120));
    assert!(!is_due(3_600, week + 119));
    assert!(is_due(3_600, week + 120));
    assert!(is_due(week, 0));
}

#[test]
fn an_algorithm_that_is_new_is_published_first_and_signs_when_it_is_known() {
    let next = SigningKey { algorithm: ES256, ..key("b", KeyState::Next, 1_000) };
    let set = of([key("a", KeyState::Active, 0), next]);
    let seen = Duration::from_mins(5);

    assert_eq!(of([]).missing(ES256, &POLICY), [KeyState::Active, KeyState::Next]);
    assert_eq!(of([key("a", KeyState::Active, 0)]).missing(ES256, &POLICY), [KeyState::Next]);
    assert_eq!(set.missing(ES256, &POLICY), []);
    let at_once = KeyPolicy { publish_before_use: Duration::ZERO, ..POLICY };
    assert_eq!(set.missing(ES256, &at_once), [KeyState::Active]);
    assert!(!set.is_due(ES256, &POLICY, Duration::from_secs(299), at(1_300)));
    assert!(set.is_due(ES256, &POLICY, seen, at(1_300)), "at once, whatever its age");
}

#[test]
fn t42_a_retired_key_goes_when_its_last_token_has_expired() {
    let mut retired = key("a", KeyState::Retired, 0);
    retired.retired_at = Some(at(1_000));
    let set = of([retired, key("b", KeyState::Active, 0)]);

    assert_eq!(set.without_expired(&POLICY, at(4_599)).keys.len(), 2);
    let after = set.without_expired(&POLICY, at(4_600));
    assert_eq!(states(&after), [("b", KeyState::Active)]);
}

#[test]
fn t42_a_stolen_key_goes_at_once_and_the_next_one_signs() {
    let set = of([
        key("old", KeyState::Retired, 0),
        key("a", KeyState::Active, 0),
        key("b", KeyState::Next, 0),
    ]);
    let id = |id: &str| id.parse().unwrap();

    let without_active = set.without(&id("a")).unwrap();
    assert_eq!(states(&without_active), [("old", KeyState::Retired), ("b", KeyState::Active)]);
    assert_eq!(without_active.missing(RS256, &POLICY), [KeyState::Next]);
    let without_both = without_active.without(&id("b")).unwrap();
    assert_eq!(without_both.missing(RS256, &POLICY), [KeyState::Active, KeyState::Next]);
    assert_eq!(set.without(&id("old")).unwrap().keys.len(), 2);
    assert_eq!(set.without(&id("x")).unwrap_err(), UnknownKey);
}

#[test]
fn t42_where_nothing_else_could_sign_the_key_of_a_new_algorithm_does() {
    let next = SigningKey { algorithm: ES256, ..key("b", KeyState::Next, 0) };
    let set = of([key("a", KeyState::Active, 0), next]);

    let rest = set.without(&"a".parse().unwrap()).unwrap();

    assert_eq!(states(&rest), [("b", KeyState::Active)]);
}

/// Whoever fetched the keys just before one was added must have forgotten them when it signs.
#[test]
fn nobody_may_cache_the_keys_for_longer_than_they_are_known_to_be_all() {
    let seconds = |since_read| POLICY.cacheable_for(Duration::from_secs(since_read)).as_secs();

    assert_eq!((seconds(0), seconds(59), seconds(60)), (240, 240, 239));
    assert_eq!((seconds(298), seconds(299), seconds(1_000_000)), (1, 0, 0));
}
