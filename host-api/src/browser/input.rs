//! Hands on a page: clicks where a person would click, and text that is typed by a script of ours, to which it is an argument. What can't be seen,
//! or is covered, is not clicked.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::{Context, PageError};
use super::frame::{Argument, At, Element, Place, Seen};
use super::scripts;
use super::transport::{CallError, Secret};
use crate::network::Payload;

/// How long an element may take to come to rest and lie open: pages slide, fade and cover themselves while they load.
pub(super) const SETTLE: Duration = Duration::from_secs(3);
/// How often it is looked at meanwhile.
pub(super) const AGAIN: Duration = Duration::from_millis(50);
/// Keys that may be pressed: name, code, number, and what it writes.
const KEYS: [(&str, &str, u32, &str); 11] = [
    ("Enter", "Enter", 13, "\r"),
    ("Tab", "Tab", 9, ""),
    ("Escape", "Escape", 27, ""),
    ("Backspace", "Backspace", 8, ""),
    ("Delete", "Delete", 46, ""),
    ("ArrowUp", "ArrowUp", 38, ""),
    ("ArrowDown", "ArrowDown", 40, ""),
    ("ArrowLeft", "ArrowLeft", 37, ""),
    ("ArrowRight", "ArrowRight", 39, ""),
    ("PageUp", "PageUp", 33, ""),
    ("PageDown", "PageDown", 34, ""),
];

impl Context {
    /// Clicks what a selector means, as soon as it can be.
    pub(super) async fn click(&self, at: &At, selector: &str) -> Result<(), PageError> {
        let until = Instant::now() + SETTLE;
        loop {
            let element = self.element(at, selector).await;
            let clicked = match &element {
                Ok(element) => self.click_element(at, element).await,
                Err(error) => Err(error.clone()),
            };
            match clicked {
                Err(error) if may_pass(&error) && Instant::now() < until => tokio::time::sleep(AGAIN).await,
                clicked => return clicked,
            }
        }
    }

    /// Clicks an element that lies open.
    async fn click_element(&self, at: &At, element: &Element) -> Result<(), PageError> {
        let place = self.aim(at, element).await?;
        self.strike(at, &place).await
    }

    /// Where an element lies open.
    pub(super) async fn aim(&self, at: &At, element: &Element) -> Result<Place, PageError> {
        let place = self.place(at, element).await?;
        if self.frame(at)?.session != self.session(&at.page)? {
            // A frame in a process of its own: which one is meant, the browser knows by the last picture that it has, and it may have been scrolled since.
            self.mouse(at, &place, "mouseMoved", 0).await?;
            if !self.ask_element::<bool>(element, scripts::IS_POINTED_AT, &[]).await? {
                return Err(PageError::Unusable("covered by something else"));
            }
        }
        Ok(place)
    }

    /// Clicks there, whatever is there.
    pub(super) async fn strike(&self, at: &At, place: &Place) -> Result<(), PageError> {
        // Sent at once they stay in order, and the page draws one picture for all instead of three.
        let all = [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 1)];
        try_join_all(all.map(|(kind, clicks)| self.mouse(at, place, kind, clicks))).await.map(drop)
    }

    async fn mouse(&self, at: &At, place: &Place, kind: &str, clicks: u32) -> Result<(), PageError> {
        let button = if clicks == 0 { "none" } else { "left" };
        let does = json!({ "type": kind, "x": place.x, "y": place.y, "button": button, "clickCount": clicks });
        Ok(self.transport().tell(&self.session(&at.page)?, "Input.dispatchMouseEvent", does).await?)
    }

    /// Where an element is, as seen from the page; it lies open, and so do the frames that it stands in. Scrolls to it if need be.
    async fn place(&self, at: &At, element: &Element) -> Result<Place, PageError> {
        match self.place_now(at, element, false).await {
            Err(PageError::Unusable(_)) => self.place_now(at, element, true).await,
            place => place,
        }
    }

    async fn place_now(&self, at: &At, element: &Element, scroll: bool) -> Result<Place, PageError> {
        let mut place: Place = self.ask_element(element, scripts::PLACE, &[scroll.into()]).await?;
        usable(&place.fault)?;
        let mut at = at.clone();
        while let Some(around) = self.around(&mut at).await? {
            let point = [json!(place.x), json!(place.y)];
            let moved: Place = self.ask_element(&around, scripts::INSIDE, &point).await?;
            usable(&moved.fault)?;
            let (x, y) = (moved.x, moved.y);
            place = Place { x: place.x + x, y: place.y + y, left: place.left + x, top: place.top + y, ..place };
        }
        Ok(place)
    }

    /// The same, as soon as it does: a page around it in another process may still be scrolling to it.
    async fn place_soon(&self, at: &At, element: &Element) -> Result<Place, PageError> {
        let until = Instant::now() + SETTLE;
        loop {
            match self.place(at, element).await {
                Err(error) if may_pass(&error) && Instant::now() < until => tokio::time::sleep(AGAIN).await,
                place => return place,
            }
        }
    }

    /// Types into a field, as soon as that can be; only into that of this document, where one is named. What was in it before goes.
    pub(super) async fn fill(
        &self,
        at: &At,
        selector: &str,
        text: Text<'_>,
        seen: Option<&Seen>,
    ) -> Result<(), PageError> {
        let until = Instant::now() + SETTLE;
        loop {
            let filled = match self.element(at, selector).await {
                Ok(element) => self.fill_element(&element, text, seen).await,
                Err(error) => Err(error),
            };
            match filled {
                Err(error) if may_pass(&error) && Instant::now() < until => tokio::time::sleep(AGAIN).await,
                filled => return filled,
            }
        }
    }

    async fn fill_element(&self, element: &Element, text: Text<'_>, seen: Option<&Seen>) -> Result<(), PageError> {
        let word: String = match text {
            Text::None => self.ask_element(element, scripts::FILL, &[Value::Null, true.into(), json!(seen)]).await?,
            Text::Open(text) => {
                self.ask_element(element, scripts::FILL, &[text.into(), false.into(), json!(seen)]).await?
            }
            Text::Secret(secret) => {
                let arguments =
                    (Argument { value: Secret(secret) }, Argument { value: true }, Argument { value: seen });
                self.ask_with_secret(element, scripts::FILL, &secret.run(), arguments).await?
            }
        };
        usable(&word)
    }

    /// Presses a key.
    pub(super) async fn key(&self, at: &At, name: &str) -> Result<(), PageError> {
        let known = KEYS.iter().find(|(known, ..)| *known == name);
        let Some((key, code, number, text)) = known else { return Err(PageError::Unusable("no key of the keyboard")) };
        let session = self.frame(at)?.session;
        for kind in ["keyDown", "keyUp"] {
            let mut pressed = json!({
                "type": kind, "key": key, "code": code,
                "windowsVirtualKeyCode": number, "nativeVirtualKeyCode": number,
            });
            if kind == "keyDown" && !text.is_empty() {
                pressed["text"] = (*text).into();
            }
            self.transport().tell(&session, "Input.dispatchKeyEvent", pressed).await?;
        }
        Ok(())
    }

    /// Chooses options by value.
    pub(super) async fn choose(&self, at: &At, selector: &str, values: &[String]) -> Result<(), PageError> {
        let element = self.element(at, selector).await?;
        let word: String = self.ask_element(&element, scripts::SELECT, &[json!(values)]).await?;
        usable(&word)
    }

    /// A picture of an element, for the person.
    pub(super) async fn picture(&self, at: &At, selector: &str) -> Result<Vec<u8>, PageError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metrics {
            css_visual_viewport: Viewport,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Viewport {
            page_x: f64,
            page_y: f64,
        }
        #[derive(Deserialize)]
        struct Picture {
            data: String,
        }
        let element = self.element(at, selector).await?;
        let place = self.place_soon(at, &element).await?;
        let session = self.session(&at.page)?;
        let metrics: Metrics = self.transport().call(&session, "Page.getLayoutMetrics", json!({})).await?;
        let view = metrics.css_visual_viewport;
        let clip = json!({
            "x": place.left + view.page_x, "y": place.top + view.page_y,
            "width": place.width, "height": place.height, "scale": 1,
        });
        let asked = json!({ "format": "png", "clip": clip });
        let picture: Picture = self.transport().call(&session, "Page.captureScreenshot", asked).await?;
        STANDARD.decode(picture.data).map_err(|_| PageError::Unusable("no picture"))
    }
}

/// Whether it may be otherwise in a moment: something is not there yet, or its frame is being replaced.
pub(super) fn may_pass(error: &PageError) -> bool {
    matches!(error, PageError::Unusable(_) | PageError::Nothing | PageError::Call(CallError::Refused(_)))
}

/// What goes into a field.
#[derive(Clone, Copy)]
pub(super) enum Text<'t> {
    /// Nothing yet: a secret follows when it is known that it can.
    None,
    Open(&'t str),
    Secret(&'t Payload),
}

/// What a script of ours says about an element.
pub(super) fn usable(word: &str) -> Result<(), PageError> {
    Err(PageError::Unusable(match word {
        "" => return Ok(()),
        "moved" => return Err(PageError::Moved),
        "hidden" => "hidden",
        "disabled" => "disabled",
        "covered" => "covered by something else",
        "no field" => "no field of this kind",
        "outside" => "outside of the keypad that the sink names",
        _ => "without such an option",
    }))
}
