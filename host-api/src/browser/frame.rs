//! A frame of a page, the page itself among them: reading it, finding elements in it, and knowing where they are.

use std::time::Instant;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::context::{Context, PageError};
use super::scripts;
use super::state::Frame;
use super::transport::CallError;
use crate::clear::RunInClear;

/// The world of the host's scripts.
const WORLD: &str = "consentry";

/// Where calls on a page go: the page, and the frames from it down to the one that is meant.
#[derive(Clone)]
pub(super) struct At {
    /// The page's id, which is its main frame's too.
    pub(super) page: String,
    /// Frame inside of frame, with the element that each is shown in.
    pub(super) within: Vec<Within>,
}

/// A frame, and the element around it in the one above.
#[derive(Clone)]
pub(super) struct Within {
    frame: String,
    element: i64,
}

/// An element of a document, as long as that is there.
pub(super) struct Element {
    session: String,
    object: String,
}

/// What an element is used for by place.
#[derive(Deserialize)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    #[serde(default)]
    pub(super) left: f64,
    #[serde(default)]
    pub(super) top: f64,
    #[serde(default)]
    pub(super) width: f64,
    #[serde(default)]
    pub(super) height: f64,
    #[serde(default)]
    pub(super) fault: String,
}

/// Which document was looked at: a frame may show another one in a moment.
#[derive(Serialize)]
pub(super) struct Seen {
    /// Its origin, as the host knows it by its address.
    pub(super) origin: String,
    /// When it began, which no two of a frame share.
    pub(super) began: String,
}

/// A document's markup.
#[derive(Deserialize)]
pub(super) struct Markup {
    pub(super) url: String,
    pub(super) html: String,
    pub(super) kind: String,
    pub(super) began: String,
    large: bool,
}

/// A script that is asked about an element.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a, A> {
    object_id: &'a str,
    function_declaration: &'static str,
    arguments: A,
    return_by_value: bool,
}

/// An argument of a script.
#[derive(Serialize)]
pub(super) struct Argument<T> {
    pub(super) value: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct World {
    execution_context_id: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Returned {
    result: Remote,
    exception_details: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remote {
    value: Option<Box<serde_json::value::RawValue>>,
    object_id: Option<String>,
}

#[derive(Deserialize)]
struct Described {
    node: Node,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    backend_node_id: i64,
    frame_id: Option<String>,
}

#[derive(Deserialize)]
struct Resolved {
    object: Remote,
}

impl At {
    /// A page itself.
    pub(super) fn page(page: String) -> Self {
        Self { page, within: Vec::new() }
    }

    /// A frame of a page.
    #[cfg(test)]
    pub(super) fn inside(page: &str, frame: &str) -> Self {
        Self { page: page.to_owned(), within: vec![Within { frame: frame.to_owned(), element: 0 }] }
    }

    /// The frame that is meant.
    pub(super) fn frame(&self) -> &str {
        self.within.last().map_or(&self.page, |within| &within.frame)
    }
}

impl Context {
    /// What is known of a frame of a page that works.
    pub(super) fn frame(&self, at: &At) -> Result<Frame, PageError> {
        self.session(&at.page)?;
        self.state().frames.get(at.frame()).cloned().ok_or(PageError::Left)
    }

    /// Runs a script of ours in a frame.
    async fn run(&self, at: &At, script: &'static str, arguments: &[Value], by_value: bool) -> Result<Ran, PageError> {
        let frame = self.frame(at)?;
        if let Some(world) = frame.world {
            let on = json!({ "executionContextId": world });
            match self.function(&frame.session, script, on, arguments, by_value).await {
                // Its document has been replaced, and that was not told yet.
                Err(PageError::Call(CallError::Refused(_))) => {}
                returned => return Ok(Ran { returned: returned?, session: frame.session }),
            }
        }
        let asked = json!({ "frameId": at.frame(), "worldName": WORLD });
        let world = self.transport().call::<World>(&frame.session, "Page.createIsolatedWorld", asked).await;
        let world = self.or_hung(&frame.session, world)?.execution_context_id;
        if let Some(known) = self.state().frames.get_mut(at.frame()).filter(|known| known.session == frame.session) {
            known.world = Some(world);
        }
        let returned =
            self.function(&frame.session, script, json!({ "executionContextId": world }), arguments, by_value);
        Ok(Ran { returned: returned.await?, session: frame.session })
    }

    async fn function(
        &self,
        session: &str,
        script: &'static str,
        on: Value,
        arguments: &[Value],
        by_value: bool,
    ) -> Result<Returned, PageError> {
        let mut asked = on;
        asked["functionDeclaration"] = script.into();
        asked["arguments"] = arguments.iter().map(|value| json!({ "value": value })).collect();
        asked["returnByValue"] = by_value.into();
        asked["awaitPromise"] = by_value.into();
        let returned = self.transport().call::<Returned>(session, "Runtime.callFunctionOn", asked).await;
        self.or_hung(session, returned)
    }

    /// A page that hangs is stopped, so that it can be left.
    fn or_hung<T>(&self, session: &str, answer: Result<T, CallError>) -> Result<T, PageError> {
        if matches!(answer, Err(CallError::Late)) {
            self.transport().post(session, "Runtime.terminateExecution", json!({}));
        }
        Ok(answer?)
    }

    /// What a script of ours answers.
    pub(super) async fn ask<R: DeserializeOwned>(
        &self,
        at: &At,
        script: &'static str,
        arguments: &[Value],
    ) -> Result<R, PageError> {
        self.run(at, script, arguments, true).await?.returned.read()
    }

    /// The element that a selector means.
    pub(super) async fn element(&self, at: &At, selector: &str) -> Result<Element, PageError> {
        let Ran { returned, session } = self.run(at, scripts::FIND, &[selector.into()], false).await?;
        if returned.exception_details.is_some() {
            return Err(PageError::Selector);
        }
        let object = returned.result.object_id.ok_or(PageError::Nothing)?;
        Ok(Element { session, object })
    }

    /// What a script of ours answers about an element.
    pub(super) async fn ask_element<R: DeserializeOwned>(
        &self,
        element: &Element,
        script: &'static str,
        arguments: &[Value],
    ) -> Result<R, PageError> {
        let on = json!({ "objectId": element.object });
        self.function(&element.session, script, on, arguments, true).await?.read()
    }

    /// The same, with a secret among the arguments, which is in clear no longer than it takes to write them to the browser.
    pub(super) async fn ask_with_secret<R: DeserializeOwned>(
        &self,
        element: &Element,
        script: &'static str,
        run: &RunInClear,
        arguments: impl Serialize,
    ) -> Result<R, PageError> {
        let (object_id, return_by_value) = (&*element.object, true);
        let asked = Asked { object_id, function_declaration: script, arguments, return_by_value };
        let call = self.transport().call_secret::<Returned>(run, &element.session, "Runtime.callFunctionOn", asked);
        let returned = call.await;
        self.or_hung(&element.session, returned)?.read()
    }

    /// A number that tells an element from every other of its page.
    pub(super) async fn identity(&self, element: &Element) -> Result<i64, PageError> {
        Ok(self.describe(element).await?.backend_node_id)
    }

    async fn describe(&self, element: &Element) -> Result<Node, PageError> {
        let asked = json!({ "objectId": element.object });
        Ok(self.transport().call::<Described>(&element.session, "DOM.describeNode", asked).await?.node)
    }

    /// The frame that an element shows.
    pub(super) async fn inside(&self, at: &At, selector: &str) -> Result<At, PageError> {
        let element = self.element(at, selector).await?;
        let node = self.describe(&element).await?;
        let frame = node.frame_id.ok_or(PageError::Unusable("no frame"))?;
        let mut inside = at.clone();
        inside.within.push(Within { frame, element: node.backend_node_id });
        self.frame(&inside)?;
        Ok(inside)
    }

    /// The element that shows a frame, and from there on the frame above; none around the page itself.
    pub(super) async fn around(&self, at: &mut At) -> Result<Option<Element>, PageError> {
        let Some(within) = at.within.pop() else { return Ok(None) };
        let session = self.frame(at)?.session;
        let asked = json!({ "backendNodeId": within.element });
        let resolved: Resolved = self.transport().call(&session, "DOM.resolveNode", asked).await?;
        let object = resolved.object.object_id.ok_or(PageError::Nothing)?;
        Ok(Some(Element { session, object }))
    }

    /// The document of a frame as markup of at most so many bytes.
    pub(super) async fn markup(&self, at: &At, typed: bool, bytes_max: usize) -> Result<Markup, PageError> {
        let markup: Markup = self.ask(at, scripts::MARKUP, &[typed.into(), bytes_max.into()]).await?;
        if markup.large || markup.html.len() > bytes_max {
            return Err(PageError::Large(bytes_max as u64));
        }
        Ok(markup)
    }

    /// Goes to an address and waits for its document to be loaded.
    pub(super) async fn go(&self, at: &At, url: &str, until: Instant) -> Result<(), PageError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Navigated {
            loader_id: Option<String>,
            error_text: Option<String>,
        }
        let session = self.session(&at.page)?;
        let asked = json!({ "url": url });
        let patient = self.transport().patient(until.saturating_duration_since(Instant::now()));
        let navigated = match patient.call::<Navigated>(&session, "Page.navigate", asked).await {
            Err(CallError::Late) => return Err(self.give_up(&session)),
            navigated => navigated?,
        };
        if let Some(error) = navigated.error_text.filter(|error| !error.is_empty()) {
            return Err(failure(&error));
        }
        let Some(loader) = navigated.loader_id else { return Ok(()) };
        self.state().asked_for(&loader);
        let loaded = self.wait(until, |state| {
            if state.tab(&at.page).is_none_or(|tab| tab.crashed) {
                return Some(());
            }
            let frame = state.frames.get(&at.page)?;
            (frame.loader == loader && !frame.loading).then_some(())
        });
        match loaded.await? {
            Some(()) => self.frame(at).map(drop),
            None => Err(self.give_up(&session)),
        }
    }

    fn give_up(&self, session: &str) -> PageError {
        self.transport().post(session, "Page.stopLoading", json!({}));
        CallError::Late.into()
    }
}

struct Ran {
    returned: Returned,
    session: String,
}

impl Returned {
    fn read<R: DeserializeOwned>(self) -> Result<R, PageError> {
        if self.exception_details.is_some() {
            return Err(PageError::Selector);
        }
        let value = self.result.value.as_deref().map_or("null", serde_json::value::RawValue::get);
        serde_json::from_str(value).map_err(|_| CallError::Refused("a script").into())
    }
}

/// The browser's own word for why there is no document.
pub(super) fn failure(error: &str) -> PageError {
    match error {
        "net::ERR_TOO_MANY_REDIRECTS" => PageError::Redirects,
        "net::ERR_TUNNEL_CONNECTION_FAILED" | "net::ERR_PROXY_CONNECTION_FAILED" => PageError::Failed("no connection"),
        _ if error.starts_with("net::ERR_CERT") || error.starts_with("net::ERR_SSL") => {
            PageError::Failed("the site's certificate, or its TLS, can't be trusted")
        }
        "net::ERR_ABORTED" => PageError::Failed("it was given up"),
        "net::ERR_INVALID_AUTH_CREDENTIALS" => PageError::Failed("the login was refused"),
        _ => PageError::Failed("the connection broke off"),
    }
}
