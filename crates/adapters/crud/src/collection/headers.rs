//! Which of the headers to pass on can be passed on.

use reqwest::header::{HeaderName, HeaderValue};

/// Headers of one connection or one message (RFC 9110 section 7.6.1): ours are not the caller's.
const FRAMING: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The headers that are legal and do not frame a message.
pub(crate) fn legal(headers: &[(String, String)]) -> Vec<(HeaderName, HeaderValue)> {
    let legal = |(name, value): &(String, String)| {
        let name: HeaderName = name.parse().ok()?;
        // Byte by byte: no alphabet is asked for.
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        (!FRAMING.contains(&name.as_str())).then_some((name, value))
    };
    headers.iter().filter_map(legal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_header_or_frames_a_message_is_dropped() {
        let headers = [
            ("X-Request-Id", "a"),
            ("x y", "a"),
            ("x-split", "a\r\nb: c"),
            ("Content-Length", "0"),
            ("Transfer-Encoding", "chunked"),
            ("Host", "elsewhere"),
            ("", "a"),
            ("miauserid", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));

        let names: Vec<String> = legal(&headers).iter().map(|it| it.0.to_string()).collect();

        assert_eq!(names, ["x-request-id", "miauserid"]);
    }

    #[test]
    fn a_value_is_passed_on_byte_by_byte() {
        for value in ["zo\u{eb}", "\u{1f600} \u{e4}", "a\tb", "\u{80}\u{ff}"] {
            let passed = legal(&[("miauserid".to_owned(), value.to_owned())]);

            assert_eq!(passed.len(), 1, "{value}");
            assert_eq!(passed[0].1.as_bytes(), value.as_bytes());
        }
    }
}
