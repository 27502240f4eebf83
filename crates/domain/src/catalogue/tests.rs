use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::grant::tests::{NOW, client, policy};
use crate::{ClientSettings, GrantRefusal, GrantRequest, TokenPolicy, grant};

const ORDERS: &str = "https://api.example/orders";

fn catalogue(document: &Value) -> Catalogue {
    Catalogue::parse(document.as_object().unwrap()).unwrap()
}

/// `a` and `b` are registered, `b` by default; orders take `a` only, stock takes anything, and the
/// archive takes nothing.
fn sample() -> Catalogue {
    catalogue(&json!({
        "capabilities": ["client_credentials", "introspection"],
        "scopes": [
            {"name": "b", "default": true},
            {"name": "a", "description": "See orders"},
        ],
        "resources": [
            {"identifier": "stock", "name": "The stock"},
            {"identifier": ORDERS, "scopes": ["a"]},
            {"identifier": "archive", "scopes": []},
        ],
    }))
}

fn place(document: &Value) -> String {
    Catalogue::parse(document.as_object().unwrap()).unwrap_err().place
}

fn customer() -> Client {
    let audience = ["stock", ORDERS, "archive", "unknown"].map(|it| it.parse().unwrap());
    Client { scope: "a b c".parse().unwrap(), audience: audience.into(), ..client() }
}

fn request(scope: Option<&str>, audience: &[&str]) -> GrantRequest {
    GrantRequest {
        scope: scope.map(|it| it.parse().unwrap()),
        audience: audience.iter().map(|it| it.parse().unwrap()).collect(),
        ..GrantRequest::default()
    }
}

fn granted(
    client: &Client,
    request: GrantRequest,
    mode: CatalogueMode,
) -> Result<Option<String>, GrantRefusal> {
    let policy = TokenPolicy { catalogue_mode: mode, ..policy() };
    let grant = grant::decide(client, request, &policy, &sample(), NOW)?;
    Ok(grant.scope.map(|it| it.to_string()))
}

#[test]
fn a_catalogue_comes_out_as_it_went_in_in_one_canonical_form() {
    let text = Value::Object(sample().to_json()).to_string();
    let again = catalogue(&serde_json::from_str(&text).unwrap());

    assert_eq!(again, sample());
    assert_eq!(
        text,
        r#"{"capabilities":["client_credentials","introspection"],"resources":[{"identifier":"archive","scopes":[]},{"identifier":"https://api.example/orders","scopes":["a"]},{"identifier":"stock","name":"The stock"}],"scopes":[{"description":"See orders","name":"a"},{"default":true,"name":"b"}]}"#
    );
    assert_eq!(catalogue(&Value::Object(Catalogue::default().to_json())), Catalogue::default());
}

#[test]
fn what_is_wrong_in_a_document_is_named_by_its_place() {
    let with = |pointer: &str, value: Value| {
        let mut document = json!({
            "capabilities": ["introspection"],
            "scopes": [{"name": "a"}, {"name": "b"}],
            "resources": [{"identifier": "x"}, {"identifier": "y", "scopes": ["a"]}],
        });
        *document.pointer_mut(pointer).unwrap() = value;
        document
    };
    for (document, expected) in [
        (json!({}), "capabilities"),
        (json!({"capabilities": [], "scopes": []}), "resources"),
        (json!({"capabilities": [], "scopes": [], "resources": [], "x": 1}), "x"),
        (with("/capabilities", json!("introspection")), "capabilities"),
        (with("/capabilities/0", json!("fly")), "capabilities[0]"),
        (with("/scopes/1", json!("b")), "scopes[1]"),
        (with("/scopes/1", json!({})), "scopes[1].name"),
        (with("/scopes/1/name", json!("b c")), "scopes[1].name"),
        (with("/scopes/1/name", json!("s".repeat(256))), "scopes[1].name"),
        (with("/scopes/1/name", json!("a")), "scopes[1].name"),
        (with("/scopes/1", json!({"name": "b", "default": 1})), "scopes[1].default"),
        (with("/scopes/1", json!({"name": "b", "describe": ""})), "scopes[1].describe"),
        (with("/scopes/1", json!({"name": "b", "description": "\n"})), "scopes[1].description"),
        (with("/resources/0/identifier", json!("y")), "resources[1].identifier"),
        (with("/resources/0/identifier", json!("a b")), "resources[0].identifier"),
        (with("/resources/0/identifier", json!("https://a/#b")), "resources[0].identifier"),
        (with("/resources/0/identifier", json!("https://a:b/")), "resources[0].identifier"),
        (with("/resources/1/scopes", json!("a")), "resources[1].scopes"),
        (with("/resources/1/scopes", json!(["a", 1])), "resources[1].scopes[1]"),
        (with("/resources/1/scopes", json!(["unknown"])), "resources[1].scopes"),
        (with("/resources/1/scopes", json!(vec!["a"; 257])), "resources[1].scopes"),
    ] {
        assert_eq!(place(&document), expected, "{document}");
    }
}

#[test]
fn a_catalogue_has_bounds() {
    let scopes = |count: usize, description: &str| {
        let one = |n| json!({"name": format!("s{n}"), "description": description});
        let all: Vec<_> = (0..count).map(one).collect();
        json!({"capabilities": [], "scopes": all, "resources": []})
    };
    catalogue(&scopes(1_000, "d"));
    assert_eq!(place(&scopes(1_001, "d")), "scopes");
    assert_eq!(place(&scopes(1_000, &"d".repeat(300))), "catalogue");
    let resources: Vec<_> = (0..1_001).map(|n| json!({"identifier": format!("r{n}")})).collect();
    let document = json!({"capabilities": [], "scopes": [], "resources": resources});
    assert_eq!(place(&document), "resources");
}

#[test]
fn t31_a_resource_is_another_for_a_byte_that_differs() {
    let catalogue = sample();
    assert!(catalogue.resource(ORDERS).is_some());
    for other in [
        "https://api.example/orders/",
        "https://api.example/Orders",
        "https://API.example/orders",
        "https://api.example/%6frders",
        "https://api.example:443/orders",
        "http://api.example/orders",
        "//api.example/orders",
        "/orders",
        "orders",
    ] {
        assert!(catalogue.resource(other).is_none(), "{other}");
    }
}

#[test]
fn a_capability_that_is_off_is_off_for_everybody() {
    let off = CatalogueChange::SetCapabilities(BTreeSet::from([Capability::Introspection]));
    let catalogue = off.applied(&sample()).unwrap();

    let refused = grant::decide(&client(), GrantRequest::default(), &policy(), &catalogue, NOW);

    assert_eq!(refused, Err(GrantRefusal::CapabilityOff));
    // Whoever lacks it as well learns of the service first.
    let incapable = Client { capabilities: BTreeSet::new(), ..client() };
    let refused = grant::decide(&incapable, GrantRequest::default(), &policy(), &catalogue, NOW);
    assert_eq!(refused, Err(GrantRefusal::CapabilityOff));
}

#[test]
fn a_token_carries_what_one_of_its_resources_takes() {
    use CatalogueMode::Open;
    for (scope, audience, expected) in [
        ("a", vec![ORDERS], Ok(Some("a".to_owned()))),
        ("b", vec![ORDERS], Err(GrantRefusal::ScopeNotTaken)),
        ("a b", vec![ORDERS], Err(GrantRefusal::ScopeNotTaken)),
        ("a", vec!["archive"], Err(GrantRefusal::ScopeNotTaken)),
        ("a", vec!["archive", ORDERS], Ok(Some("a".to_owned()))),
        ("a b", vec!["archive", ORDERS], Err(GrantRefusal::ScopeNotTaken)),
        ("a b c", vec![ORDERS, "stock"], Ok(Some("a b c".to_owned()))),
        ("a b c", vec!["unknown"], Ok(Some("a b c".to_owned()))),
        ("a b c", vec![], Ok(Some("a b c".to_owned()))),
    ] {
        let outcome = granted(&customer(), request(Some(scope), &audience), Open);
        assert_eq!(outcome, expected, "{scope} for {audience:?}");
    }
}

#[test]
fn the_default_audience_takes_no_more_than_one_that_is_asked_for() {
    let default = crate::DefaultAudience::Chosen(vec![ORDERS.parse().unwrap()]);
    let policy = TokenPolicy { default_audience: default, ..policy() };

    let refused = grant::decide(&customer(), request(Some("b"), &[]), &policy, &sample(), NOW);

    assert_eq!(refused, Err(GrantRefusal::ScopeNotTaken));
}

#[test]
fn default_scopes_are_the_clients_own_or_those_of_the_catalogue_that_it_may_have() {
    use CatalogueMode::Open;
    let ask = |client: &Client, audience: &[&str]| granted(client, request(None, audience), Open);
    let own = |scope: &str| Client {
        settings: ClientSettings { default_scope: scope.parse().unwrap(), ..client().settings },
        ..customer()
    };

    assert_eq!(ask(&customer(), &[]), Ok(Some("b".to_owned())));
    assert_eq!(ask(&own("a c"), &[]), Ok(Some("a c".to_owned())));
    assert_eq!(ask(&Client { scope: "a c".parse().unwrap(), ..customer() }, &[]), Ok(None));
    // Nobody asked for it: what the resource does not take is not there.
    assert_eq!(ask(&customer(), &[ORDERS]), Ok(None));
    assert_eq!(ask(&own("a c"), &[ORDERS]), Ok(Some("a".to_owned())));
    assert_eq!(ask(&own("a c"), &["archive"]), Ok(None));
}

#[test]
fn t31_t32_where_only_what_is_registered_counts_the_rest_is_refused() {
    use CatalogueMode::{Open, Registered};
    for (scope, audience, expected) in [
        (Some("a b"), vec!["stock"], Ok(Some("a b".to_owned()))),
        (Some("a c"), vec![], Err(GrantRefusal::ScopeNotRegistered)),
        (Some("a"), vec!["unknown"], Err(GrantRefusal::AudienceNotRegistered)),
        (Some("a"), vec!["stock", "unknown"], Err(GrantRefusal::AudienceNotRegistered)),
        (None, vec![], Ok(Some("b".to_owned()))),
        // What the client may not have is told as ever.
        (Some("d"), vec![], Err(GrantRefusal::ScopeExceeded)),
        (None, vec!["elsewhere"], Err(GrantRefusal::AudienceNotAllowed)),
    ] {
        let outcome = granted(&customer(), request(scope, &audience), Registered);
        assert_eq!(outcome, expected, "{scope:?} for {audience:?}");
    }
    let old = Client {
        settings: ClientSettings { default_scope: "a c".parse().unwrap(), ..client().settings },
        ..customer()
    };
    let refused = granted(&old, request(None, &[]), Registered);
    assert_eq!(refused, Err(GrantRefusal::ScopeNotRegistered));
    assert_eq!(granted(&old, request(None, &[]), Open), Ok(Some("a c".to_owned())));
}

/// Who manages the server is not locked out by a catalogue that says nothing of that.
#[test]
fn the_scopes_of_management_are_always_known() {
    for right in ManagementRight::ALL {
        assert!(Catalogue::default().knows_scope(right.scope_value()));
    }
    assert!(!Catalogue::default().knows_scope("clients:"));
}

#[test]
fn nothing_is_given_to_a_client_that_is_not_registered() {
    let with = |scope: &str, default: &str, audience: &[&str]| Client {
        scope: scope.parse().unwrap(),
        audience: audience.iter().map(|it| it.parse().unwrap()).collect(),
        settings: ClientSettings {
            default_scope: if default.is_empty() {
                Scope::default()
            } else {
                default.parse().unwrap()
            },
            ..client().settings
        },
        ..client()
    };
    let told = |before: Option<&Client>, after: &Client| {
        let it = sample().unregistered(before, after)?;
        Some((it.member, it.item, it.value))
    };
    let named = |member, item, value: &str| Some((member, item, value.to_owned()));

    assert_eq!(told(None, &with("a clients:read", "a", &[ORDERS, "stock"])), None);
    let first = with("a c", "c", &["stock", "shop"]);
    assert_eq!(told(None, &first), named("audience", Some(2), "shop"));
    let second = with("a c", "c", &["stock"]);
    assert_eq!(told(None, &second), named("scope", None, "c"));
    // What it has from earlier times may stay, and nothing may be added to it.
    assert_eq!(told(Some(&first), &first), None);
    assert_eq!(told(Some(&first), &second), None);
    let more = with("a c d", "c", &["stock", "shop"]);
    assert_eq!(told(Some(&first), &more), named("scope", None, "d"));
    let plain = with("a c", "", &[]);
    let renewed = with("a c", "c", &[]);
    assert_eq!(told(Some(&plain), &renewed), named("default_scope", None, "c"));
}

#[test]
fn a_scope_that_is_removed_is_taken_from_the_resources_too() {
    let remove = |name: &str| CatalogueChange::RemoveScope(name.parse().unwrap());

    let without = remove("a").applied(&sample()).unwrap();

    assert!(without.scope("a").is_none());
    assert_eq!(without.resource(ORDERS).unwrap().scopes, Some(Scope::default()));
    assert_eq!(without.resource("stock").unwrap().scopes, None);
    assert_eq!(remove("a").applied(&without), Err(EditRefusal::Unknown));
}

#[test]
fn a_change_that_leaves_no_good_catalogue_is_refused() {
    let resource = |document: Value| {
        let identifier = "new".parse().unwrap();
        Resource::parse(document.as_object().unwrap().clone(), &identifier)
    };
    let unknown = resource(json!({"scopes": ["a", "z"]})).unwrap();

    let refused = CatalogueChange::PutResource(unknown).applied(&sample()).unwrap_err();

    assert_eq!(refused.to_string(), "scopes: the scope z is not registered");
    assert_eq!(resource(json!({"identifier": "other"})).unwrap_err().place, "identifier");
    let known = resource(json!({"identifier": "new", "scopes": ["a", "clients:read"]})).unwrap();
    let put = CatalogueChange::PutResource(known.clone());
    assert!(!put.has_subject(&sample()));
    let changed = put.clone().applied(&sample()).unwrap();
    assert!(put.has_subject(&changed));
    assert_eq!(changed.resource("new"), Some(&known));
    let gone = CatalogueChange::RemoveResource("new".parse().unwrap()).applied(&changed).unwrap();
    assert_eq!(gone, sample());
}

#[test]
fn a_difference_is_told_line_by_line() {
    let other = catalogue(&json!({
        "capabilities": ["introspection"],
        "scopes": [{"name": "a", "default": true}, {"name": "z"}],
        "resources": [{"identifier": "archive", "scopes": ["a"]}, {"identifier": ORDERS, "scopes": ["a"]}],
    }));

    assert_eq!(
        sample().changes_to(&other),
        [
            "- capability client_credentials",
            "- scope b",
            "~ scope a: description, default",
            "+ scope z",
            "- resource stock",
            "~ resource archive: scopes",
        ]
    );
    assert!(sample().changes_to(&sample()).is_empty());
}

proptest! {
    #[test]
    fn an_identifier_has_no_fragment_and_comes_out_as_it_went_in(raw in "[ -~]{0,40}") {
        if let Ok(identifier) = raw.parse::<ResourceIdentifier>() {
            prop_assert_eq!(identifier.as_str(), raw.as_str());
            prop_assert!(!raw.contains('#') && !raw.contains(' '));
        }
    }

    #[test]
    fn a_document_of_any_shape_is_read_or_refused(
        lists in proptest::collection::vec("[\\[\\]{}:,a-d\"0-9]{0,30}", 3),
    ) {
        let [one, other, third] = <[String; 3]>::try_from(lists).unwrap();
        let text =
            format!(r#"{{"capabilities":[{one}],"scopes":[{other}],"resources":[{third}]}}"#);
        if let Ok(object) = crate::parse_object(text.as_bytes())
            && let Ok(read) = Catalogue::parse(&object)
        {
            prop_assert_eq!(Catalogue::parse(&read.to_json()), Ok(read));
        }
    }
}
