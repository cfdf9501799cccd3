//! What is known of one collection's pages from what the browser tells: pages, frames, requests, dialogs, downloads. Kept by one reader of
//! events, looked at by whoever waits for something. A page decides what is told, so every list has an end.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use consentry_contract::manifest::Origin;
use serde::de::DeserializeOwned;

use super::events::{
    AChallenged, ADetached, ADownload, AFinished, AFrame, AMoved, ANavigated, APaused, AProgress, ASent, AnAnswered,
    AnAttached, AnOpened,
};
use super::standing::Standing;
use super::transport::Event;

/// Pages of one collection at once, and those that pages open.
const PAGES_MAX: usize = 8;
const POPUPS_MAX: usize = 4;
/// Dialogs of one collection; one that opens more is a storm.
pub(super) const DIALOGS_MAX: u32 = 20;
/// Answers to requests of pages that are remembered, and requests under way.
const ANSWERS_MAX: usize = 500;
const FRAMES_MAX: usize = 500;

/// A page, in a tab of its own.
pub(super) struct Tab {
    pub(super) target: String,
    pub(super) session: String,
    /// The page that opened it, where one did.
    pub(super) opener: Option<String>,
    /// The connector has a handle to it.
    pub(super) taken: bool,
    pub(super) crashed: bool,
}

/// A frame, the main one among them.
#[derive(Clone, Default)]
pub(super) struct Frame {
    pub(super) session: String,
    /// The frame that it stands in.
    pub(super) above: Option<String>,
    pub(super) url: String,
    /// Names the document in it.
    pub(super) loader: String,
    pub(super) loading: bool,
    /// Where scripts of the host's run in its document.
    pub(super) world: Option<i64>,
    /// It was asked for by a page that may not be read: what stands behind the path of its address may say what was pressed there.
    pub(super) veiled: bool,
    /// Why there is no document, in the browser's own word.
    pub(super) failed: Option<String>,
}

/// A request that a page made, and how it was answered.
#[derive(Clone, Default)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) session: String,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) mime: String,
    /// Counts answers, so that each is looked at once.
    pub(super) serial: u64,
    document: bool,
    /// A page that may not be read made it.
    withheld: bool,
    frame: String,
    loader: String,
}

/// A site that asks who somebody is, before it answers.
#[derive(Clone)]
pub(super) struct Challenge {
    pub(super) session: String,
    pub(super) request: String,
    pub(super) url: String,
}

/// A file that a page gives.
#[derive(Clone, Default)]
pub(super) struct Download {
    /// Bytes that are there, and those that were announced.
    pub(super) received: u64,
    pub(super) total: u64,
    pub(super) done: bool,
    pub(super) failed: bool,
}

/// What has to be done about an event.
pub(super) enum Reaction {
    Narrow(Option<Vec<Origin>>),
    Prepare {
        session: String,
    },
    /// A worker waits for a word, too, and nothing is asked of it.
    Release {
        session: String,
    },
    /// A page too many; it waits for a word like every new one, and so does the page that opened it.
    TooMany {
        session: String,
        target: String,
    },
    Crashed {
        session: String,
    },
    /// It is over: closed, or shown by another process now.
    Detached {
        session: String,
    },
    Dialog {
        session: String,
        accept: bool,
    },
    CancelDownload {
        guid: String,
    },
    Continue {
        session: String,
        request: String,
    },
    CancelLogin {
        session: String,
        request: String,
    },
}

/// Everything that is known.
pub(super) struct State {
    pub(super) tabs: Vec<Tab>,
    pub(super) frames: HashMap<String, Frame>,
    flights: HashMap<String, Request>,
    pub(super) answers: VecDeque<Request>,
    answered: u64,
    statuses: HashMap<String, (u16, Vec<(String, String)>)>,
    /// When a request last began or ended.
    pub(super) busy: Instant,
    pub(super) requests: u64,
    pub(super) dialogs: u32,
    /// What the next dialog is answered with; no by itself.
    pub(super) dialog: Option<bool>,
    pub(super) downloads: HashMap<String, Download>,
    /// Somebody waits for a download.
    pub(super) downloading: bool,
    /// Origins whose challenges are answered.
    pub(super) logins: BTreeSet<String>,
    pub(super) challenges: VecDeque<Challenge>,
    pub(super) standing: Vec<Standing>,
    pub(super) is_cut: bool,
    /// Documents on their way that a page asked for which may not be read.
    veiled: BTreeSet<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            tabs: Vec::new(),
            frames: HashMap::new(),
            flights: HashMap::new(),
            answers: VecDeque::new(),
            answered: 0,
            statuses: HashMap::new(),
            busy: Instant::now(),
            requests: 0,
            dialogs: 0,
            dialog: None,
            downloads: HashMap::new(),
            downloading: false,
            logins: BTreeSet::new(),
            challenges: VecDeque::new(),
            standing: Vec::new(),
            is_cut: false,
            veiled: BTreeSet::new(),
        }
    }
}

impl State {
    /// The page of this id.
    pub(super) fn tab(&self, target: &str) -> Option<&Tab> {
        self.tabs.iter().find(|tab| tab.target == target)
    }

    /// Status and headers that the document of a frame came with; as if it were an answer of 200 where it never was one.
    pub(super) fn head(&self, frame: &Frame) -> (u16, Vec<(String, String)>) {
        self.statuses.get(&frame.loader).cloned().unwrap_or((200, Vec::new()))
    }

    /// Requests that are under way.
    pub(super) fn under_way(&self) -> usize {
        self.flights.len()
    }

    /// The connector itself asked for this document: its address says nothing that it does not know.
    pub(super) fn asked_for(&mut self, loader: &str) {
        self.veiled.remove(loader);
        self.frames.values_mut().filter(|frame| frame.loader == loader).for_each(|frame| frame.veiled = false);
    }

    /// Takes an event in. Whatever does not read is of another version of the protocol, and is left alone.
    pub(super) fn take(&mut self, event: &Event) -> Vec<Reaction> {
        let session = event.session.as_str();
        match event.method.as_str() {
            "Target.attachedToTarget" => read(event).map(|it| self.attached(it)),
            "Target.detachedFromTarget" => read(event).map(|it| self.detached(&it)),
            "Inspector.targetCrashed" => Some(self.crashed(session)),
            "Page.frameNavigated" => read(event).map(|it| self.navigated(session, it)),
            "Page.navigatedWithinDocument" => read(event).map(|it| self.moved(it)),
            "Page.frameAttached" => read(event).map(|it: AFrame| {
                self.frame(session, &it.frame_id, it.parent_frame_id);
                Vec::new()
            }),
            "Page.frameDetached" => read(event).map(|it| self.frame_gone(&it)),
            "Page.frameStartedLoading" => read(event).map(|it| self.loading(&it, true)),
            "Page.frameStoppedLoading" => read(event).map(|it| self.loading(&it, false)),
            "Page.javascriptDialogOpening" => read(event).map(|it| self.dialog(session, &it)),
            "Network.requestWillBeSent" => read(event).map(|it| self.sent(session, it)),
            "Network.responseReceived" => read(event).map(|it| self.answered(it)),
            "Network.loadingFinished" => read(event).map(|it| self.finished(it)),
            "Network.loadingFailed" => read(event).map(|it| self.failed(it)),
            "Fetch.requestPaused" => read(event)
                .map(|it: APaused| vec![Reaction::Continue { session: session.to_owned(), request: it.request_id }]),
            "Fetch.authRequired" => read(event).map(|it| self.challenged(session, it)),
            "Browser.downloadWillBegin" => read(event).map(|it| self.download(it)),
            "Browser.downloadProgress" => read(event).map(|it| self.progressed(&it)),
            _ => None,
        }
        .unwrap_or_default()
    }

    fn attached(&mut self, it: AnAttached) -> Vec<Reaction> {
        let (session, info) = (it.session_id, it.target_info);
        if info.kind == "worker" {
            return vec![Reaction::Release { session }];
        }
        let frame = self.frames.entry(info.target_id.clone()).or_default();
        frame.session.clone_from(&session);
        frame.world = None;
        if info.kind != "page" {
            return vec![Reaction::Prepare { session }];
        }
        let (opener, popup) = (info.opener_id, |opener: &Option<String>| opener.is_some());
        let most = if popup(&opener) { POPUPS_MAX } else { PAGES_MAX };
        let alike = self.tabs.iter().filter(|tab| popup(&tab.opener) == popup(&opener)).count();
        if alike >= most {
            return vec![Reaction::TooMany { session, target: info.target_id }];
        }
        let (target, taken, crashed) = (info.target_id, opener.is_none(), false);
        self.tabs.push(Tab { target, session: session.clone(), opener, taken, crashed });
        vec![Reaction::Prepare { session }]
    }

    fn detached(&mut self, it: &ADetached) -> Vec<Reaction> {
        self.tabs.retain(|tab| tab.session != it.session_id);
        self.frames.retain(|_, frame| frame.session != it.session_id);
        self.ends_flights(&it.session_id);
        let mut reactions = self.left();
        reactions.push(Reaction::Detached { session: it.session_id.clone() });
        reactions
    }

    fn crashed(&mut self, session: &str) -> Vec<Reaction> {
        if let Some(tab) = self.tabs.iter_mut().find(|tab| tab.session == session) {
            tab.crashed = true;
        }
        self.ends_flights(session);
        vec![Reaction::Crashed { session: session.to_owned() }]
    }

    /// Nobody tells how requests end whose page or process is gone.
    fn ends_flights(&mut self, session: &str) {
        if self.flights.extract_if(|_, request| request.session == session).count() > 0 {
            self.busy = Instant::now();
        }
    }

    fn frame(&mut self, session: &str, id: &str, above: Option<String>) {
        if self.frames.len() < FRAMES_MAX {
            let frame = self.frames.entry(id.to_owned()).or_default();
            if frame.session != session {
                session.clone_into(&mut frame.session);
                frame.world = None;
            }
            frame.above = above.or(frame.above.take());
        }
    }

    /// What stood in a document that is gone.
    fn forget_below(&mut self, id: &str) {
        let below: Vec<String> = self
            .frames
            .iter()
            .filter(|(_, frame)| frame.above.as_deref() == Some(id))
            .map(|(below, _)| below.clone())
            .collect();
        for below in below {
            self.frames.remove(&below);
            self.forget_below(&below);
        }
    }

    fn frame_gone(&mut self, it: &AFrame) -> Vec<Reaction> {
        // A frame that moves into a process of its own is still there.
        if it.reason.as_deref() != Some("swap") {
            self.frames.remove(&it.frame_id);
        }
        self.left()
    }

    fn navigated(&mut self, session: &str, it: ANavigated) -> Vec<Reaction> {
        self.frame(session, &it.frame.id, it.frame.parent_id);
        self.forget_below(&it.frame.id);
        if let Some(frame) = self.frames.get_mut(&it.frame.id) {
            frame.failed = it.frame.unreachable_url.is_some().then(|| frame.failed.take().unwrap_or_default());
            frame.url = it.frame.url + it.frame.url_fragment.as_deref().unwrap_or_default();
            // Beyond the bound each may be one.
            frame.veiled = self.veiled.remove(&it.frame.loader_id) || self.veiled.len() >= ANSWERS_MAX;
            frame.loader = it.frame.loader_id;
            frame.world = None;
        }
        self.left()
    }

    fn moved(&mut self, it: AMoved) -> Vec<Reaction> {
        if let Some(frame) = self.frames.get_mut(&it.frame_id) {
            frame.url = it.url;
        }
        Vec::new()
    }

    fn loading(&mut self, it: &AFrame, loading: bool) -> Vec<Reaction> {
        if let Some(frame) = self.frames.get_mut(&it.frame_id) {
            frame.loading = loading;
        }
        Vec::new()
    }

    fn dialog(&mut self, session: &str, it: &AnOpened) -> Vec<Reaction> {
        self.dialogs += 1;
        // Whether a page may be left is no question of the connector's: it leaves.
        let accept = it.kind == "beforeunload" || self.dialog.take().unwrap_or(false);
        let session = session.to_owned();
        vec![Reaction::Dialog { session, accept }]
    }

    fn sent(&mut self, session: &str, it: ASent) -> Vec<Reaction> {
        self.busy = Instant::now();
        self.requests += 1;
        let (document, withheld) = (it.kind.as_deref() == Some("Document"), self.is_withheld());
        if document && withheld && self.veiled.len() < ANSWERS_MAX {
            self.veiled.insert(it.loader_id.clone());
        }
        if self.flights.len() >= ANSWERS_MAX || it.request.url.starts_with("data:") {
            return Vec::new();
        }
        let request = Request {
            id: it.request_id.clone(),
            session: session.to_owned(),
            method: it.request.method,
            url: it.request.url,
            document,
            withheld,
            frame: it.frame_id.unwrap_or_default(),
            loader: it.loader_id,
            ..Request::default()
        };
        self.flights.insert(it.request_id, request);
        Vec::new()
    }

    fn answered(&mut self, it: AnAnswered) -> Vec<Reaction> {
        let Some(request) = self.flights.get_mut(&it.request_id) else { return Vec::new() };
        request.status = it.response.status;
        request.url = it.response.url;
        request.mime = it.response.mime_type;
        request.headers = it.response.headers.into_iter().collect();
        if request.document {
            if self.statuses.len() >= ANSWERS_MAX {
                self.statuses.clear();
            }
            self.statuses.insert(request.loader.clone(), (request.status, request.headers.clone()));
        }
        Vec::new()
    }

    fn finished(&mut self, it: AFinished) -> Vec<Reaction> {
        self.busy = Instant::now();
        if let Some(mut request) = self.flights.remove(&it.request_id).filter(|request| !request.withheld) {
            if self.answers.len() >= ANSWERS_MAX {
                self.answers.pop_front();
            }
            self.answered += 1;
            request.serial = self.answered;
            self.answers.push_back(request);
        }
        Vec::new()
    }

    fn failed(&mut self, it: AFinished) -> Vec<Reaction> {
        self.busy = Instant::now();
        if let Some(request) = self.flights.remove(&it.request_id)
            && request.document
            && let Some(frame) = self.frames.get_mut(&request.frame)
        {
            frame.failed = it.error_text;
        }
        Vec::new()
    }

    fn challenged(&mut self, session: &str, it: AChallenged) -> Vec<Reaction> {
        let (session, request) = (session.to_owned(), it.request_id);
        let known = it.auth_challenge.source.as_deref() == Some("Server")
            && self.logins.contains(&it.auth_challenge.origin)
            && self.challenges.len() < PAGES_MAX;
        if !known {
            return vec![Reaction::CancelLogin { session, request }];
        }
        self.challenges.push_back(Challenge { session, request, url: it.request.url });
        Vec::new()
    }

    fn download(&mut self, it: ADownload) -> Vec<Reaction> {
        if !self.frames.contains_key(&it.frame_id) {
            return Vec::new();
        }
        if !self.downloading || !self.downloads.is_empty() {
            return vec![Reaction::CancelDownload { guid: it.guid }];
        }
        self.downloads.insert(it.guid, Download::default());
        Vec::new()
    }

    fn progressed(&mut self, it: &AProgress) -> Vec<Reaction> {
        if let Some(download) = self.downloads.get_mut(&it.guid) {
            download.received = it.received_bytes as u64;
            download.total = it.total_bytes as u64;
            download.done = it.state == "completed";
            download.failed = it.state == "canceled";
        }
        Vec::new()
    }
}

fn read<T: DeserializeOwned>(event: &Event) -> Option<T> {
    serde_json::from_str(event.params.get()).ok()
}
