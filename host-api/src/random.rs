//! random: virtual randomness, taped. Not for secrets: those the host makes.

use consentry_tape::Event;

use crate::bindings::consentry::connector::random;
use crate::ctx::HostCtx;

const NAME: &str = "random";
/// Most bytes of one call.
const BYTES_MAX: usize = 1024;

impl HostCtx {
    fn draw(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.ports.random.fill(&mut bytes);
        self.ports.tape.outside(Event::Random(bytes.clone()));
        bytes
    }
}

impl random::Host for HostCtx {
    fn bytes(&mut self, size: u32) -> wasmtime::Result<Vec<u8>> {
        self.enter_infallible(NAME, "bytes")?;
        Ok(self.draw((size as usize).min(BYTES_MAX)))
    }

    fn uuid(&mut self) -> wasmtime::Result<String> {
        self.enter_infallible(NAME, "uuid")?;
        let mut bytes = self.draw(16);
        // RFC 9562: version 4, variant 10.
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
    }
}
