//! clock: virtual time, taped.

use std::time::Duration;

use consentry_tape::Event;

use crate::bindings::consentry::connector::clock;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::hop;

const NAME: &str = "clock";

impl HostCtx {
    fn read_clock(&mut self) -> jiff::Timestamp {
        let now = self.ports.clock.now();
        self.ports.tape.outside(Event::Clock(now.as_millisecond()));
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
        let pause = self.ports.clock.pause(Duration::from_millis(ms.into()));
        // Made where it is polled: a guest's turn has no timers.
        hop::hop(self, async move { tokio::time::sleep(pause).await }).await
    }
}
