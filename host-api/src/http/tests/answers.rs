//! What a person answered, once the connector took it: it is there for ten minutes (retention row R09), whatever the run does meanwhile.

use std::time::Duration;

use tokio::time::{Instant, advance};

use super::*;
use crate::bindings::consentry::connector::prompt::HostChallenge as _;
use crate::hop;
use crate::ports::Answer;
use crate::ports::Typed;

const LIFE: Duration = Duration::from_secs(600);
const MOMENT: Duration = Duration::from_millis(1);

/// The paused clock of the test.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH + self.0.elapsed()
    }
}

/// Answers at once.
struct Gives;

impl Prompter for Gives {
    fn ask(&self, _: Question) -> Result<Asked, Code> {
        let (send, answer) = tokio::sync::oneshot::channel();
        let parts = vec![("code".to_owned(), Zeroizing::new(b"123456".to_vec()))];
        let _ = send.send(Answer::Given(Typed::at(parts, jiff::Timestamp::UNIX_EPOCH)));
        Ok(Asked { answer, shown: Box::new(()) })
    }
}

/// A run to which a person has just answered.
async fn answered() -> HostCtx {
    let mut ctx = context(Says(200, "text/html", ""));
    ctx.ports.clock = Arc::new(Paused(Instant::now()));
    ctx.ports.prompter = Arc::new(Gives);
    ctx.grants.attended = true;
    let asked = ctx.ask("otp".to_owned(), vec![], None).unwrap();
    assert!(ctx.wait(asked, 1000).await.unwrap());
    assert!(is_there(&ctx));
    ctx
}

fn is_there(ctx: &HostCtx) -> bool {
    ctx.vault.holds(&Leaf::new(LeafKind::Answer, "code"))
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_after_ten_minutes_while_the_guest_computes() {
    let mut ctx = answered().await;
    advance(LIFE - MOMENT).await;
    assert!(ctx.tick() && is_there(&ctx));
    advance(MOMENT).await;
    assert!(ctx.tick() && !is_there(&ctx));
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_after_ten_minutes_before_the_next_call() {
    let mut ctx = answered().await;
    advance(LIFE - MOMENT).await;
    ctx.callback().unwrap();
    assert!(is_there(&ctx));
    advance(MOMENT).await;
    ctx.callback().unwrap();
    assert!(!is_there(&ctx));
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_after_ten_minutes_while_a_call_waits() {
    let mut ctx = answered().await;
    hop::hop(&mut ctx, tokio::time::sleep(LIFE - MOMENT)).await.unwrap();
    assert!(is_there(&ctx));
    hop::hop(&mut ctx, tokio::time::sleep(LIFE)).await.unwrap();
    assert!(!is_there(&ctx));
}
