//! host-api/contract
