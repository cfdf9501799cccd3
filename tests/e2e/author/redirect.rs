//! The template for authorisation by redirect against a bank: the person goes where they are sent, and comes back with a code.

use std::path::Path;
use std::sync::{Arc, Mutex};

use consentry::collect::package::Package;
use consentry::collect::signature::Trust;
use consentry_host_api::ports::{Answer, Question};
use consentry_tests::collecting::{CALLBACK, Collecting, Reaction, collector, lock, told};
use sample_bank::{MARIE, SampleBank};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::consentry;

/// A person's browser: logs in at the address that it is sent to, and gives the code that it is sent back with.
async fn authorise(url: String) -> String {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let name = url.split("request_uri=").nth(1).unwrap().to_owned();
    assert!(client.get(&url).send().await.unwrap().status().is_success());
    let form = [("request_uri", name.as_str()), ("login", MARIE.login), ("password", MARIE.password)];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let post = client.post(url.split('?').next().unwrap()).header("content-type", "application/x-www-form-urlencoded");
    let answer = post.body(body).send().await.unwrap();
    let back: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    assert!(back.as_str().starts_with(CALLBACK), "{back}");
    back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

/// In the folder of a connector of the template `oauth` that was built.
pub(super) async fn collects(folder: &Path, name: &str) {
    let (built, told_of_it) = consentry(folder, &["connector", "build", name, "--out", "redirect.wasm"]);
    assert!(built, "{told_of_it}");
    let package = Package::open(&folder.join("redirect.wasm"), &Trust::default().or_unsigned()).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    let (send, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<Answer>>();
    let url = Arc::new(Mutex::new(String::new()));
    let shown = url.clone();
    tokio::spawn(async move {
        while let Some(answer) = asked.recv().await {
            let url = lock(&url).clone();
            let code = Zeroizing::new(authorise(url).await.into_bytes());
            // The run may have ended meanwhile.
            let _ = answer.send(Answer::Given(vec![("code".to_owned(), code)].into()));
        }
    });
    let collecting = Collecting::by(package).at(&bank.site_url).answering(move |question: &Question| {
        let (_, url) = question.details.iter().find(|(name, _)| name == "url").unwrap();
        assert!(!url.contains("challenge") && !url.contains("redirect_uri"), "{url}");
        url.clone_into(&mut lock(&shown));
        Reaction::Later(send.clone())
    });
    let collection = collecting.collect(&collector().unwrap()).await.unwrap();
    assert!(told(&collection).starts_with("bank.account=3 bank.balance=3 bank.transaction="), "{}", told(&collection));
    // A challenge that is the verifier itself is refused by this bank: what was pushed was its digest.
    let asked: Vec<String> = bank.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked.iter().filter(|path| *path == "/oauth/par").count(), 1, "{asked:?}");
}
