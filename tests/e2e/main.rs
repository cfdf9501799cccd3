//! End-to-end tests: real third-party applications as Data Sources.
