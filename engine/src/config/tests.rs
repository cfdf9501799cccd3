//! What a configuration may say, shown on the documented example.

use super::*;

const EXAMPLE: &str = include_str!("../../consentry.example.toml");

#[test]
fn the_documented_example_is_a_configuration() {
    let config = Config::parse(EXAMPLE).unwrap();
    assert!(!config.engine.development);
    assert_eq!(config.online_service.len(), 1);
    assert!(config.limits().is_ok());
    // What is said to be usual is what is done where nothing is said.
    assert_eq!(config.egress.bounds("egress", GateBounds::default()).unwrap(), GateBounds::default());
    let source = config.source[0].bounds(&config).unwrap();
    assert_eq!(source.requests_per_minute.get(), 120);
    assert_eq!(source.rest, GateBounds::default().rest);
}

#[test]
fn a_way_out_is_read_with_its_login_apart() {
    let text =
        EXAMPLE.replacen("# proxy = ", "proxy = ", 1).replacen("# proxy-login-file = ", "proxy-login-file = ", 1);
    let config = Config::parse(&text.replacen("# source-address = ", "source-address = ", 1)).unwrap();
    let route = config.source[0].route(Some("node:s3cret")).unwrap();
    assert!(route.proxy.is_some() && route.source.is_some());
    assert!(!format!("{route:?} {config:?}").contains("s3cret"));
    assert!(config.source[0].route(Some("no login")).is_err());
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let text = EXAMPLE.replacen("development = false", "development = false\nspeed = 9", 1);
    let error = Config::parse(&text).unwrap_err().to_string();
    assert!(error.contains("speed") && error.contains("line"), "{error}");
}

#[test]
fn values_that_make_no_sense_are_refused_by_key() {
    for (from, to, key) in [
        ("node = \"node-1\"", "node = \"node 1\"", "engine.node"),
        (
            "roles = [\"platform\", \"maintenance\"]",
            "roles = []",
            "operator-key opr_01JD8Z3M7K0000000000000000: at least",
        ),
        ("sessions-max = 10000", "sessions-max = 0", "api.sessions-max"),
        (
            "sessions-per-online-service-max = 2000",
            "sessions-per-online-service-max = 10001",
            "api.sessions-per-online-service-max",
        ),
        ("requests = 500", "requestz = 500", "limits.requestz"),
        ("rest-seconds = 30", "rest-seconds = 0", "egress.rest-seconds"),
        (
            "{ requests-per-minute-max = 120",
            "{ requests-per-minute-max = 0",
            "source oidc-provider/demo: egress.requests-per-minute-max",
        ),
        ("# proxy = \"http:", "proxy = \"https:", "source oidc-provider/demo: proxy"),
        (
            "# proxy = \"http://proxy.operator.example",
            "proxy = \"http://proxy.elsewhere.example",
            "source oidc-provider/demo: proxy: proxy.elsewhere.example is not among the hosts",
        ),
        (
            "# base = \"http://127.0.0.1:3000\"",
            "base = \"ftp://127.0.0.1\"",
            "source oidc-provider/demo: base: the scheme",
        ),
        (
            "# base = \"http://127.0.0.1:3000\"",
            "base = \"http://10.0.0.1\"",
            "source oidc-provider/demo: base: http is",
        ),
        (
            "# base = \"http://127.0.0.1:3000\"",
            "base = \"https://a:b@x.example\"",
            "source oidc-provider/demo: base: it holds",
        ),
        (
            "# base = \"http://127.0.0.1:3000\"",
            "base = \"https://x.example/?a=b\"",
            "source oidc-provider/demo: base: a base URL has no query",
        ),
        (
            "# base = \"http://127.0.0.1:3000\"",
            "base = \"https://x.example/#a\"",
            "source oidc-provider/demo: base: a URL in a manifest has no fragment",
        ),
        (
            "[[operator-key]]",
            "[[source]]\nconnector = \"oidc-provider\"\nid = \"demo\"\n[[operator-key]]",
            "source oidc-provider/demo: it has two sections",
        ),
        ("country = \"FR\"\ntransfer", "country = \"US\"\ntransfer", "hosting and processor: Example Hosting"),
        ("# proxy-login-file", "proxy-login-file", "source oidc-provider/demo: proxy-login-file"),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let mut config = Config::parse(&EXAMPLE.replacen(from, to, 1)).unwrap();
        config.online_service.clear();
        let error = config.check().unwrap_err().to_string();
        assert!(error.starts_with(key), "{error}");
    }
}
