//! Where randomness comes from. Code that decides takes a generator as an argument; code that does holds an [`Entropy`].

use std::sync::{Mutex, PoisonError};

use rand::{CryptoRng, TryRngCore};

/// One generator, shared by the tasks of an engine.
pub struct Entropy(Mutex<Box<dyn CryptoRng + Send>>);

impl Entropy {
    /// The machine's own randomness.
    pub fn system() -> Self {
        Self::from(rand::rngs::OsRng.unwrap_err())
    }

    /// A generator of the caller's; a seeded one makes a test repeatable.
    pub fn from(rng: impl CryptoRng + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(rng)))
    }

    /// Lends the generator.
    pub fn with<T>(&self, draw: impl FnOnce(&mut (dyn CryptoRng + Send)) -> T) -> T {
        // A generator that panicked in between has drawn some bytes more; the next ones are as random.
        draw(&mut **self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy")
    }
}
