//! What svc does, without a terminal: configuration, plans, the engine that runs them, and the events it tells.
//!
//! Data flows one way: `config` → `plan` → `engine` → `event` → renderers. Nothing here prints, asks or exits.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::exit)]

pub mod code;
pub mod config;
pub mod docker;
pub mod failure;
pub mod names;
pub mod restic;
pub mod scope;
pub mod status;
pub mod systemd;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
