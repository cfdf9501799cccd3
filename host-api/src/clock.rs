//! clock: virtual time, taped.

use std::time::Duration;

use crate::bindings::consentry::connector::clock;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::hop;
use crate::tape::Outside;

const NAME: &str = "clock";

impl HostCtx {
    fn read_clock(&mut self) -> jiff::Timestamp {
        let now = self.ports.clock.now();
        self.ports.tape.outside(Outside::Clock(now.as_millisecond().try_into().unwrap_or_default()));
        now
    }
}

impl clock::Host for HostCtx {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.enter_infallible(NAME, "now")?;
        Ok(self.read_clock().as_millisecond().try_into().unwrap_or_default())
    }

    fn today(&mut self) -> wasmtime::Result<String> {
        self.enter_infallible(NAME, "today")?;
        Ok(self.read_clock().to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
    }

    async fn sleep(&mut self, ms: u32) -> Result<(), Fail> {
        self.enter(NAME, "sleep")?;
        // Made where it is polled: the guests' runtime has no timers.
        hop::hop(self, async move { tokio::time::sleep(Duration::from_millis(ms.into())).await }).await
    }
}
