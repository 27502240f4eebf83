//! What a newcomer needs at the first start.

use domain::ClientSecret;

/// Prints the address, the bootstrap token, and lines that work when pasted. On standard error:
/// standard output is the log, and the token belongs in no log.
#[expect(clippy::print_stderr, reason = "a newcomer reads the terminal, a log reader does not")]
pub(crate) fn print(base: &str, token: &ClientSecret) {
    eprintln!("{}", text(base, token.expose()));
}

fn text(base: &str, token: &str) -> String {
    format!(
        r#"
Tokenwright is ready at {base} (its API: {base}/documentation)

This is the bootstrap token. It manages clients, and is shown this once; if it is lost,
`tokenwright bootstrap-token` makes a new one.

    {token}

Make a client, get a token, check it:

    MADE=$(curl -sS {base}/clients -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{"client_name":"my first client"}}')
    CLIENT_ID=$(printf %s "$MADE" | sed 's/.*"client_id":"\([^"]*\)".*/\1/')
    CLIENT_SECRET=$(printf %s "$MADE" | sed 's/.*"client_secret":"\([^"]*\)".*/\1/')
    TOKEN=$(curl -sS {base}/oauth/token -u "$CLIENT_ID:$CLIENT_SECRET" -d grant_type=client_credentials | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    curl -sS {base}/tokeninfo -H "Authorization: Bearer $TOKEN"
"#
    )
}
