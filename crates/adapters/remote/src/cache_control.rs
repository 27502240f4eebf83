//! How long an answer may be remembered (RFC 9111 sections 4.2.1 and 5.2.2).

use std::time::Duration;

use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};

/// How long the answer with these headers is fresh, where it says so.
pub(crate) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL);
    let directives = values.iter().filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(','));
    let mut said = None;
    for directive in directives {
        let (name, value) = match directive.trim().split_once('=') {
            Some((name, value)) => (name.trim(), value.trim().trim_matches('"')),
            None => (directive.trim(), ""),
        };
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") && said.is_none() {
            // What is no number is stale (RFC 9111 section 4.2.1); a larger one is very long.
            let is_number = !value.is_empty() && value.bytes().all(|it| it.is_ascii_digit());
            said = Some(if is_number { value.parse().unwrap_or(u64::from(u32::MAX)) } else { 0 });
        }
    }
    let age = headers.get(AGE).and_then(|it| it.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    said.map(|seconds| Duration::from_secs(seconds.saturating_sub(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_freshness_is_understood() {
        for (said, age, seconds) in [
            (&[][..], None, None),
            (&["public"], None, None),
            (&["max-age=60"], None, Some(60)),
            (&["public, MAX-AGE=\"60\" , x"], None, Some(60)),
            (&["max-age=60"], Some("20"), Some(40)),
            (&["max-age=60"], Some("90"), Some(0)),
            (&["max-age=60"], Some("nonsense"), Some(60)),
            (&["max-age=60, no-store"], None, Some(0)),
            (&["no-cache"], None, Some(0)),
            (&["max-age=5", "max-age=60"], None, Some(5)),
            (&["max-age=-1"], None, Some(0)),
            (&["max-age="], None, Some(0)),
            (&["max-age=99999999999999999999999"], None, Some(u64::from(u32::MAX))),
            (&["s-maxage=60"], None, None),
        ] {
            let mut headers = HeaderMap::new();
            for it in said {
                headers.append(CACHE_CONTROL, it.parse().unwrap());
            }
            if let Some(age) = age {
                headers.insert(AGE, age.parse().unwrap());
            }
            assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{said:?} {age:?}");
        }
    }
}
