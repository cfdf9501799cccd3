use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use http::{HeaderMap, Method};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

/// The clock of the test's runtime, which stands still while somebody works and jumps while everybody waits.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_000_000_000).unwrap() + self.0.elapsed()
    }
}

/// A source that answers as it is told to, after a second.
#[derive(Clone)]
struct Site {
    status: Arc<Mutex<Option<u16>>>,
    asked: Arc<AtomicU32>,
    at_once: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
}

impl Site {
    fn says(&self, status: Option<u16>) {
        *self.status.lock().unwrap() = status;
    }

    fn asked(&self) -> u32 {
        self.asked.load(SeqCst)
    }
}

#[async_trait]
impl Network for Site {
    async fn fetch(&self, _: Outgoing) -> Result<Incoming, NetworkError> {
        self.asked.fetch_add(1, SeqCst);
        self.most.fetch_max(self.at_once.fetch_add(1, SeqCst) + 1, SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.at_once.fetch_sub(1, SeqCst);
        let status = *self.status.lock().unwrap();
        let status = status.ok_or(NetworkError::Timeout)?;
        Ok(Incoming { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: Vec::new() })
    }
}

fn bounds() -> GateBounds {
    GateBounds { failures_in_a_row: 3, rest: Duration::from_secs(60), ..GateBounds::default() }
}

fn gated(bounds: GateBounds) -> (Arc<Gated<Site>>, Site) {
    let site = Site {
        status: Arc::new(Mutex::new(Some(200))),
        asked: Arc::default(),
        at_once: Arc::default(),
        most: Arc::default(),
    };
    let gate = Arc::new(Gate::new(bounds, Arc::new(Paused(Instant::now()))));
    (Arc::new(Gated { network: site.clone(), gate }), site)
}

/// So many, all begun before the first has ended.
fn at_once(gated: &Arc<Gated<Site>>, count: usize) -> Vec<JoinHandle<Result<u16, NetworkError>>> {
    let one = |gated: Arc<Gated<Site>>| tokio::spawn(async move { ask(&gated).await });
    (0..count).map(|_| one(gated.clone())).collect()
}

async fn ask(gated: &Gated<Site>) -> Result<u16, NetworkError> {
    let url = "https://bank.example/".parse().unwrap();
    let headers = HeaderMap::new();
    let request =
        Outgoing { method: Method::GET, url, headers, body: None, body_bytes_max: 1, repeatable: true, identity: None };
    gated.fetch(request).await.map(|incoming| incoming.status.as_u16())
}

fn rests(seconds: u64) -> Result<u16, NetworkError> {
    Err(NetworkError::Resting { retry_after: Duration::from_secs(seconds) })
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_answer_is_left_alone_and_then_looked_at_by_one() {
    let (gated, site) = gated(bounds());
    for status in [None, Some(503), Some(504)] {
        site.says(status);
        assert!(!matches!(ask(&gated).await, Err(NetworkError::Resting { .. })));
    }
    assert_eq!(ask(&gated).await, rests(60));
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(ask(&gated).await, rests(1));
    assert_eq!(site.asked(), 3, "it was not left alone");
    tokio::time::advance(Duration::from_secs(1)).await;
    // Of two at once, one looks; it finds nobody, and the rest begins anew.
    site.says(None);
    let both = tokio::join!(ask(&gated), ask(&gated));
    assert_eq!(both, (Err(NetworkError::Timeout), rests(60)));
    assert_eq!(ask(&gated).await, rests(60));
    tokio::time::advance(Duration::from_secs(60)).await;
    site.says(Some(200));
    assert_eq!(ask(&gated).await, Ok(200));
    assert_eq!(tokio::join!(ask(&gated), ask(&gated)), (Ok(200), Ok(200)), "it answers again");
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_between_begins_the_count_anew_and_a_refusal_is_an_answer() {
    let (gated, site) = gated(bounds());
    for status in [None, None, Some(500), None, None, Some(429), None, None, Some(404)] {
        site.says(status);
        assert!(!matches!(ask(&gated).await, Err(NetworkError::Resting { .. })), "{status:?}");
    }
    assert_eq!(site.asked(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_given_up_leaves_the_place_to_the_next() {
    let (gated, site) = gated(bounds());
    site.says(None);
    for _ in 0..3 {
        let _ = ask(&gated).await;
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    let given_up = tokio::time::timeout(Duration::from_millis(10), ask(&gated)).await;
    assert!(given_up.is_err());
    site.says(Some(200));
    assert_eq!(ask(&gated).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn no_more_are_under_way_at_once_than_is_allowed_and_the_others_wait() {
    let (gated, site) = gated(GateBounds { requests_at_once: 2, ..bounds() });
    let all = at_once(&gated, 10);
    for one in all {
        assert_eq!(one.await.unwrap(), Ok(200));
    }
    assert_eq!(site.most.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_a_turn_is_told_so() {
    let (gated, site) = gated(GateBounds { requests_at_once: 1, ..bounds() });
    let all = at_once(&gated, 40);
    let mut busy = 0;
    for one in all {
        match one.await.unwrap() {
            Ok(200) => {}
            Err(NetworkError::Busy { .. }) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((site.asked(), busy), (30, 10));
}

#[tokio::test(start_paused = true)]
async fn requests_keep_to_their_rate_over_minutes() {
    let per_minute = NonZeroU32::new(60).unwrap();
    let (gated, site) = gated(GateBounds { requests_per_minute: per_minute, ..bounds() });
    let begun = Instant::now();
    for _ in 0..70 {
        assert_eq!(ask(&gated).await, Ok(200));
    }
    // Ten may go at once, the others one each second; each also takes a second.
    let seconds = begun.elapsed().as_secs();
    assert!((69..=71).contains(&seconds), "{seconds}");
    tokio::time::advance(Duration::from_secs(60)).await;
    let all = at_once(&gated, 60);
    let mut sent = 0;
    for one in all {
        sent += u32::from(one.await.unwrap().is_ok());
    }
    // Ten at once, thirty in the time that one may wait; the others are told.
    assert!((39..=41).contains(&sent), "{sent}");
    assert_eq!(site.asked(), 70 + sent);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_for_the_rate_is_told_when_to_come_again() {
    let (gated, site) = gated(GateBounds { requests_per_minute: NonZeroU32::MIN, ..bounds() });
    assert_eq!(ask(&gated).await, Ok(200));
    let told = ask(&gated).await;
    assert!(matches!(told, Err(NetworkError::Busy { retry_after }) if retry_after.as_secs() >= 58), "{told:?}");
    assert_eq!(site.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_rest_changes_nothing_during_the_look_after_it() {
    let breaker = Breaker::new(1, Duration::from_secs(60), Arc::new(Paused(Instant::now())));
    let [before, too, failing] = [(); 3].map(|()| breaker.begin().unwrap());
    assert_eq!(breaker.look(), Ok(()));
    failing.end(Some(false));
    assert_eq!(breaker.look(), Err(Duration::from_secs(60)));
    tokio::time::advance(Duration::from_secs(60)).await;
    let look = breaker.begin().unwrap();
    tokio::time::advance(Duration::from_secs(20)).await;
    before.end(Some(true));
    assert_eq!(breaker.look(), Err(Duration::from_secs(40)), "it looks still");
    too.end(Some(false));
    assert_eq!(breaker.look(), Err(Duration::from_secs(40)), "it looks since then");
    look.end(Some(true));
    assert_eq!(breaker.look(), Ok(()));
}
