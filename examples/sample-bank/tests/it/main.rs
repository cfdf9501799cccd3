//! Drives the bank over HTTP, as a browser and as a test would. One binary, since linking costs more than running.

mod control;
mod journey;
mod states;
mod visitor;
