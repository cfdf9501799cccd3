//! blob: bytes that stay in the host, counted.

use std::sync::Arc;

use consentry_contract::item::Bytes;
use consentry_contract::limits::LimitName;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use crate::bindings::consentry::connector::types;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::held::Held;

/// Bytes by handle.
#[derive(Clone)]
pub struct Blob(pub(crate) Bytes, pub(crate) Arc<Held>);

const NAME: &str = "types";
/// Most bytes that one read copies into the guest.
const READ_BYTES_MAX: u32 = 1 << 20;

impl types::Host for HostCtx {
    fn convert_fault(&mut self, fail: Fail) -> wasmtime::Result<types::Fault> {
        match fail {
            Fail::Fault(fault) => Ok(fault),
            Fail::Stop(error) => Err(error),
        }
    }
}

impl types::HostBlob for HostCtx {
    fn new(&mut self, bytes: Vec<u8>) -> wasmtime::Result<Resource<Blob>> {
        self.enter_infallible(NAME, "blob")?;
        let counted = self.spend(LimitName::BlobBytes, bytes.len() as u64).and_then(|()| self.hold(bytes.len()));
        let held = counted.map_err(|_| wasmtime::Error::new(crate::fault::Stopped))?;
        Ok(self.table.push(Blob(Arc::new(Zeroizing::new(bytes)), held))?)
    }

    fn size(&mut self, this: Resource<Blob>) -> wasmtime::Result<u64> {
        self.enter_infallible(NAME, "blob.size")?;
        Ok(self.table.get(&this)?.0.len() as u64)
    }

    fn read(&mut self, this: Resource<Blob>, offset: u64, max: u32) -> wasmtime::Result<Vec<u8>> {
        self.enter_infallible(NAME, "blob.read")?;
        let bytes = &self.table.get(&this)?.0;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(max.min(READ_BYTES_MAX) as usize).min(bytes.len());
        Ok(bytes[start..end].to_vec())
    }

    fn drop(&mut self, this: Resource<Blob>) -> wasmtime::Result<()> {
        let blob = self.table.delete(this)?;
        self.budget.give_back(LimitName::BlobBytes, blob.0.len() as u64);
        Ok(())
    }
}
