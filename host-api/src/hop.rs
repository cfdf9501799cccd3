//! From the guest's runtime to the one with sockets and timers, and back. Each hop is a task in the run's tracker that is aborted when
//! nobody waits for it any more, so that a run leaves nothing behind that still works for it.

use futures_util::future::OptionFuture;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use crate::ctx::HostCtx;
use crate::fault::Fail;

/// Runs a future on the I/O runtime and waits for it, unless the run is ended from outside first.
///
/// # Errors
/// A stop when the run was ended, or when the task panicked.
pub(crate) async fn hop<T: Send + 'static>(
    ctx: &mut HostCtx,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fail> {
    let io = ctx.ports.io.clone();
    hop_to(ctx, &io, work).await
}

/// The same, on another runtime.
///
/// # Errors
/// As [`hop`].
pub(crate) async fn hop_to<T: Send + 'static>(
    ctx: &mut HostCtx,
    io: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fail> {
    let mut task = AbortOnDropHandle::new(io.spawn(ctx.hops.track_future(work)));
    let stopper = ctx.stopper.clone();
    // Timers are the I/O runtime's, too. It rings once: what is still there then is looked at with the next call.
    let over = ctx.answers_left();
    let over =
        over.map(|left| AbortOnDropHandle::new(ctx.ports.io.spawn(async move { tokio::time::sleep(left).await })));
    let mut over = OptionFuture::from(over);
    tokio::select! {
        biased;
        () = stopper.wait() => return Err(Fail::stop()),
        done = &mut task => return done.map_err(|error| Fail::Stop(error.into())),
        Some(_) = &mut over => ctx.forget_answers(),
    }
    tokio::select! {
        biased;
        () = stopper.wait() => Err(Fail::stop()),
        done = task => done.map_err(|error| Fail::Stop(error.into())),
    }
}
