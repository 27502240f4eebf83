//! The whole mapping on one page. The matches keep the list complete: a new variant does not
//! compile until it is listed.

use std::time::Duration;

use app::{ChangesError, DraftProblem, ManageRegistrationError, RevokeKeyError, RotateKeysError};
use domain::access_token::InactiveToken;
use domain::port::StoreKeysError;
use domain::{AssertionRefusal, JwsRejection};

use super::*;

fn row(error: impl Into<ApiError>) -> String {
    let error = error.into();
    let response = error.error_response();
    let header =
        |name| response.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
    format!(
        "{} {} | {} | {} | {}",
        response.status().as_u16(),
        error.code.name(),
        error.description,
        header(WWW_AUTHENTICATE),
        header(RETRY_AFTER),
    )
}

fn faults() -> Vec<Fault> {
    let kinds = [FaultKind::Unavailable, FaultKind::Overloaded, FaultKind::Corrupt];
    kinds
        .into_iter()
        .map(|kind| match kind {
            FaultKind::Unavailable => Fault::unavailable("the cause"),
            FaultKind::Overloaded => Fault::overloaded("the cause"),
            FaultKind::Corrupt => Fault::corrupt("the cause"),
        })
        .collect()
}

fn authentication() -> Vec<AuthenticateClientError> {
    let refusals = [
        AssertionRefusal::Malformed(JwsRejection::NotCompact),
        AssertionRefusal::UnknownAlgorithm,
        AssertionRefusal::WrongType,
        AssertionRefusal::UnknownKey,
        AssertionRefusal::WrongAlgorithm,
        AssertionRefusal::BadSignature,
        AssertionRefusal::Missing("jti"),
        AssertionRefusal::WrongClaimType("exp"),
        AssertionRefusal::WrongSubject,
        AssertionRefusal::WrongAudience("https://issuer.example".parse().unwrap()),
        AssertionRefusal::Expired,
        AssertionRefusal::NotYetValid,
        AssertionRefusal::LivesTooLong(Duration::from_hours(24)),
        AssertionRefusal::Replayed,
        AssertionRefusal::ReservedClaim,
    ];
    for refusal in &refusals {
        match refusal {
            AssertionRefusal::Malformed(_)
            | AssertionRefusal::UnknownAlgorithm
            | AssertionRefusal::WrongType
            | AssertionRefusal::UnknownKey
            | AssertionRefusal::WrongAlgorithm
            | AssertionRefusal::BadSignature
            | AssertionRefusal::Missing(_)
            | AssertionRefusal::WrongClaimType(_)
            | AssertionRefusal::WrongSubject
            | AssertionRefusal::WrongAudience(_)
            | AssertionRefusal::Expired
            | AssertionRefusal::NotYetValid
            | AssertionRefusal::LivesTooLong(_)
            | AssertionRefusal::Replayed
            | AssertionRefusal::ReservedClaim => (),
        }
    }
    let mut every = vec![AuthenticateClientError::Failed];
    every.extend(refusals.map(AuthenticateClientError::AssertionRefused));
    every.push(AuthenticateClientError::KeysOut(Fault::unavailable("the cause")));
    every.extend(faults().into_iter().map(AuthenticateClientError::Fault));
    every
}

fn grants() -> Vec<GrantRefusal> {
    let every = vec![
        GrantRefusal::ClientDisabled,
        GrantRefusal::CapabilityOff,
        GrantRefusal::CapabilityMissing,
        GrantRefusal::ScopeExceeded,
        GrantRefusal::ScopeNotRegistered,
        GrantRefusal::ScopeNotTaken,
        GrantRefusal::AudienceNotAllowed,
        GrantRefusal::AudienceNotRegistered,
        GrantRefusal::AudienceMissing,
        GrantRefusal::CustomClaimNotAllowed,
    ];
    for refusal in &every {
        match refusal {
            GrantRefusal::ClientDisabled
            | GrantRefusal::CapabilityOff
            | GrantRefusal::CapabilityMissing
            | GrantRefusal::ScopeExceeded
            | GrantRefusal::ScopeNotRegistered
            | GrantRefusal::ScopeNotTaken
            | GrantRefusal::AudienceNotAllowed
            | GrantRefusal::AudienceNotRegistered
            | GrantRefusal::AudienceMissing
            | GrantRefusal::CustomClaimNotAllowed => (),
        }
    }
    every
}

fn changes() -> Vec<ChangesError> {
    let problem = |member: &str| DraftProblem {
        operation: Some(3),
        client: None,
        member: Some(member.to_owned()),
        reason: "is wrong".to_owned(),
    };
    let every = vec![
        ChangesError::Unknown,
        ChangesError::Superseded,
        ChangesError::WrongState { state: "committed", mend: "draft another one" },
        ChangesError::Moved(vec!["a".parse().unwrap(), "b".parse().unwrap()]),
        ChangesError::Invalid(vec![problem("scope"), problem("jwks")]),
        ChangesError::Exceeded("a".parse().unwrap(), MandateExceeded(ManagementRight::WriteKeys)),
        ChangesError::Impossible("the store cannot do it"),
    ];
    for error in &every {
        match error {
            ChangesError::Unknown
            | ChangesError::Superseded
            | ChangesError::WrongState { .. }
            | ChangesError::Moved(_)
            | ChangesError::Invalid(_)
            | ChangesError::Exceeded(..)
            | ChangesError::Impossible(_)
            | ChangesError::Fault(_) => (),
        }
    }
    every
}

#[test]
fn tells_every_error_as_the_specs_want() {
    let metadata =
        || InvalidMetadata { member: "scope".to_owned(), reason: "is \"wrong\"\n".to_owned() };
    let mut table = vec!["# authenticate_client, and so every use-case that needs it".to_owned()];
    table.extend(authentication().into_iter().map(row));
    table.push("# issue_token".to_owned());
    table.extend(grants().into_iter().map(IssueTokenError::Refused).map(row));
    table.push("# token_info".to_owned());
    for inactive in [
        InactiveToken::NotOurs,
        InactiveToken::WrongClaimType,
        InactiveToken::Expired,
        InactiveToken::WrongAudience,
        InactiveToken::Revoked,
    ] {
        table.push(row(TokenInfoError::Inactive(inactive)));
    }
    table.push("# introspect_token".to_owned());
    table.push(row(IntrospectTokenError::CapabilityOff));
    table.push("# revoke_token".to_owned());
    table.push(row(RevokeTokenError::NotYours));
    table.push(row(RevokeTokenError::Unnamed));
    table.push("# register_client".to_owned());
    table.push(row(RegisterClientError::Invalid(metadata())));
    table.push(row(RegisterClientError::Duplicate));
    table.push(row(RegisterClientError::Rejected(Fault::corrupt("the cause"))));
    table.push("# management".to_owned());
    table.push(row(AuthorizeManagementError::TokenMissing));
    table.push(row(AuthorizeManagementError::TokenInvalid));
    table.push(row(AuthorizeManagementError::ScopeMissing(ManagementRight::WriteClients)));
    table.push(row(UpdateClientError::Invalid(metadata())));
    table.push(row(UpdateClientError::Unknown));
    table.push(row(UpdateClientError::Conflict));
    table.push(row(ChangeStateError::Unknown));
    table.push(row(ChangeStateError::Conflict));
    table.push(row(DeleteClientError::Unknown));
    table.push(row(MandateExceeded(ManagementRight::WriteKeys)));
    table.push(row(AddSecretError::Unknown));
    table.push(row(AddSecretError::UsesKeys));
    table.push(row(AddSecretError::TooMany));
    table.push(row(AddSecretError::AlreadyExpired));
    table.push("# registration management".to_owned());
    table.push(row(ManageRegistrationError::Unauthorized));
    table.push(row(ManageRegistrationError::Invalid(metadata())));
    table.push(row(ManageRegistrationError::Conflict));
    table.push("# keys".to_owned());
    let wait = Duration::from_secs(607);
    table.push(row(RotateKeysError::Refused(domain::RotationRefusal::TooEarly { wait })));
    table.push(row(RevokeKeyError::Unknown(domain::UnknownKey)));
    table.push(row(StoreKeysError::Conflict));
    table.push(row(StoreKeysError::ReadOnly));
    table.push("# changes".to_owned());
    table.extend(changes().into_iter().map(row));
    table.push("# the catalogue".to_owned());
    let catalogue = || InvalidCatalogue {
        place: "resources[1].scopes".to_owned(),
        reason: "is \"wrong\"\n".to_owned(),
    };
    table.push(row(EditCatalogueError::Unknown));
    table.push(row(EditCatalogueError::Unexpected));
    table.push(row(EditCatalogueError::Invalid(catalogue())));
    table.push(row(PreviewTokenError::Unknown));
    table.push("# the web".to_owned());
    table.push(row(ApiError::method_not_allowed("POST")));
    table.push(row(ApiError::too_many_requests(30)));
    table.push(row(ApiError::starting()));

    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn t37_the_cause_of_a_fault_is_not_told() {
    for fault in faults() {
        assert!(!row(fault).contains("the cause"));
    }
}

#[test]
fn the_body_is_what_both_families_of_clients_read() {
    let error = ApiError::new(ErrorCode::InvalidClient, "client authentication failed");

    let body = actix_web::body::to_bytes(error.error_response().into_body());
    let body = futures_util::future::FutureExt::now_or_never(body).unwrap().unwrap();

    insta::assert_snapshot!(
        std::str::from_utf8(&body).unwrap(),
        @r#"{"error":"invalid_client","error_description":"client authentication failed","statusCode":401,"message":"client authentication failed"}"#
    );
}
