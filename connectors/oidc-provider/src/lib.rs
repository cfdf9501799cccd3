//! (see manifest.toml)
