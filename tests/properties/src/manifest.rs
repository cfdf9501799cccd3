//! Manifests: what is accepted means the same however it is written down, and says so in plain lines; what is refused says where.

use consentry_contract::manifest::{MANIFEST_BYTES_MAX, Manifest, ManifestErrors, SourcePlan};
use url::Url;

use crate::bound::bounded;
use crate::text::plain;

/// Most things that one refusal tells.
const ERRORS_MAX: usize = 100;

/// Takes the text of a manifest.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match bounded("reading a manifest", text.len(), || Manifest::parse(text)) {
        Ok(manifest) => accepted(&manifest, text),
        Err(errors) => refused(&errors, text),
    }
}

fn refused(errors: &ManifestErrors, text: &str) {
    let lines = text.matches('\n').count() + 1;
    let mut count = 0;
    for error in errors.iter() {
        assert!((1..=lines).contains(&error.line), "line {} of {lines}", error.line);
        assert!(!error.key.is_empty() && !error.problem.is_empty(), "{error:?}");
        plain("a key", &error.key);
        plain("a problem", &error.problem);
        count += 1;
    }
    assert!((1..=ERRORS_MAX).contains(&count), "{count} errors");
    let told = errors.to_string();
    assert_eq!(told.lines().count(), count, "one line for each error");
    assert!(told.len() <= 256 * 1024 + 8 * text.len(), "{} bytes about {} bytes", told.len(), text.len());
}

fn accepted(manifest: &Manifest, text: &str) {
    assert!(text.len() <= MANIFEST_BYTES_MAX);
    let permissions = manifest.permissions();
    assert!(permissions.windows(2).all(|pair| pair[0] < pair[1]), "each once, in order");
    for permission in &permissions {
        plain("a permission", &permission.to_string());
    }
    let told = |sentence: &str| permissions.iter().any(|permission| permission.sentence.contains(sentence));
    for source in manifest.sources() {
        let plan = manifest.for_source(source.id.as_str(), None).expect("what was accepted holds for each source");
        stays_inside(&plan);
        for origin in plan.origins() {
            let sentence = format!("sends requests to {origin} for the source {}", source.id);
            assert!(told(&sentence), "{sentence}");
        }
        for category in plan.categories() {
            assert!(told(&format!("collects {category} from the source {}", source.id)), "{category}");
        }
        elsewhere(manifest, source.id.as_str());
    }
    for capability in manifest.capabilities() {
        assert!(told(&format!("uses the interface {capability}")), "{capability}");
    }
    rewritten(manifest, text);
}

/// Every URL that a plan knows lies in an origin of its own, and nothing but https leaves this machine.
fn stays_inside(plan: &SourcePlan) {
    for origin in plan.origins() {
        assert!(origin.scheme() == "https" || (origin.scheme() == "http" && origin.is_loopback()), "{origin}");
        assert!(!origin.host().is_empty() && !origin.host().contains('*'), "{origin}");
    }
    let pages = plan.pages().iter().map(|rule| &rule.url);
    let captures = plan.captures().iter().map(|capture| &capture.from.url);
    for url in pages.chain(captures) {
        assert!(plan.origins().contains(url.origin()), "{url}");
    }
    if let Some((_, url)) = plan.logout() {
        assert!(plan.origins().iter().any(|origin| origin.contains(&url)), "{url}");
    }
}

/// The operator's base URL never leads a plan out of its origins.
fn elsewhere(manifest: &Manifest, source: &str) {
    for base in ["https://other.example/path/", "http://127.0.0.1:8080", "http://other.example", "https://a@b.example"]
    {
        let base = Url::parse(base).expect("a URL");
        if let Ok(plan) = manifest.for_source(source, Some(&base)) {
            assert!(base.scheme() == "https" || base.host_str() == Some("127.0.0.1"), "{base}");
            assert!(base.username().is_empty(), "{base}");
            stays_inside(&plan);
        }
    }
}

/// Comments, spelling and the order of keys mean nothing.
fn rewritten(manifest: &Manifest, text: &str) {
    let table: toml::Table = text.parse().expect("a manifest is TOML");
    let Ok(again) = toml::to_string(&table) else { return };
    if again.len() > MANIFEST_BYTES_MAX {
        return;
    }
    let other =
        Manifest::parse(&again).unwrap_or_else(|errors| panic!("refused once it is rewritten: {errors}\n{again}"));
    assert_eq!(manifest.permissions(), other.permissions());
    assert_eq!(words(manifest), words(&other));
    for source in manifest.sources() {
        let plans =
            [manifest, &other].map(|manifest| manifest.for_source(source.id.as_str(), None).map(|plan| told(&plan)));
        assert_eq!(plans[0], plans[1]);
    }
}

fn words(manifest: &Manifest) -> String {
    let fields = manifest.fields().iter().map(|field| {
        let pattern = field.pattern.as_ref().map(|pattern| pattern.as_str());
        format!("{:?}", (&field.name, field.kind, field.login, field.optional, &field.label, pattern))
    });
    let fields: Vec<_> = fields.collect();
    format!(
        "{:?}",
        (
            manifest.id(),
            manifest.version(),
            manifest.owner(),
            manifest.steps(),
            manifest.limits(),
            fields,
            manifest.answers()
        )
    )
}

fn told(plan: &SourcePlan) -> String {
    format!(
        "{:?}",
        (plan.origins(), plan.categories(), plan.params(), plan.sinks(), plan.captures(), plan.pages(), plan.logout())
    )
}
