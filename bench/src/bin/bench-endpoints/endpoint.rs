//! What is asked for, and how often it must be answered.

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `GET /-/healthz`: a few bytes of JSON, for nothing. It is neither logged nor counted.
    Unlogged,
    /// `GET /.well-known/jwks.json`: JSON that lies ready, logged and counted as all requests of
    /// clients are: what the server does before and after there is anything to do.
    Empty,
    /// Introspection of JWTs that were asked about before.
    IntrospectedJwt,
    /// Introspection of reference tokens that were asked about before.
    IntrospectedReference,
    /// A JWT for a secret, for comparison.
    Token,
    /// A JWT for an assertion, both ES256: its `jti` is written down.
    AssertedToken,
    /// A reference token for a secret: it is written down.
    ReferenceToken,
}

/// What is wanted of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// Nothing: it is what others are compared to, or there to be seen.
    Nothing,
    /// This share of the rate of [`Endpoint::Empty`].
    Share(f64),
    /// So many for each second of the server's time: the store, and who asks, share one core.
    PerCpuSecond(f64),
}

impl Endpoint {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Unlogged,
        Self::Empty,
        Self::IntrospectedJwt,
        Self::IntrospectedReference,
        Self::Token,
        Self::AssertedToken,
        Self::ReferenceToken,
    ];

    /// What reports call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unlogged => "JSON, not even logged",
            Self::Empty => "JSON that lies ready",
            Self::IntrospectedJwt => "introspection, JWT",
            Self::IntrospectedReference => "introspection, reference",
            Self::Token => "JWT for a secret",
            Self::AssertedToken => "JWT for an assertion",
            Self::ReferenceToken => "reference token, Redis",
        }
    }

    /// What is wanted of it.
    pub(crate) const fn wanted(self) -> Wanted {
        match self {
            Self::Unlogged | Self::Empty | Self::Token => Wanted::Nothing,
            Self::IntrospectedJwt | Self::IntrospectedReference => Wanted::Share(0.6),
            Self::AssertedToken => Wanted::PerCpuSecond(5_000.0),
            Self::ReferenceToken => Wanted::PerCpuSecond(8_000.0),
        }
    }
}
