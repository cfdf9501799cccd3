//! From the guest's runtime to the one with sockets and timers, and back. Each hop is a task in the run's tracker that is aborted when
//! nobody waits for it any more, so that a run leaves nothing behind that still works for it.

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
    loop {
        let left = ctx.answers_left();
        tokio::select! {
            biased;
            () = stopper.wait() => return Err(Fail::stop()),
            done = &mut task => return done.map_err(|error| Fail::Stop(error.into())),
            () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => ctx.forget_answers(),
        }
    }
}
