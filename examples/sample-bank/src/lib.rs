//! examples/sample-bank
