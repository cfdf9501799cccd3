//! How a capability says no: a fault that the connector may handle, or a trap that ends the run. Whatever depends on a secret's
//! value is a trap: a connector could learn from a fault.

use consentry_contract::failure::Code;

use crate::bindings::consentry::connector::types::Fault;

/// What a host function ends with when it does not succeed.
#[derive(Debug)]
pub enum Fail {
    /// Told to the connector.
    Fault(Fault),
    /// Ends the run; the connector gets no further turn.
    Stop(wasmtime::Error),
}

/// The run's facts already say why the guest is being stopped.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the host ended the run")]
pub struct Stopped;

impl Fail {
    /// A fault with a code of the host's table and a text for the author, without values.
    pub(crate) fn fault(code: Code, text: impl Into<String>) -> Self {
        Self::Fault(Fault { code: code.to_string(), text: text.into(), retry_after_ms: None })
    }

    /// The run ends here; the reason stands in its facts.
    pub(crate) fn stop() -> Self {
        Self::Stop(wasmtime::Error::new(Stopped))
    }
}

impl From<wasmtime::component::ResourceTableError> for Fail {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Stop(error.into())
    }
}
