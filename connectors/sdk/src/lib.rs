//! connectors/sdk
