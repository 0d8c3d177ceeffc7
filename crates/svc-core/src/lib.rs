//! What svc does, without a terminal: configuration, plans, the engine that runs them, and the events it tells.
//!
//! Data flows one way: `config` → `plan` → `engine` → `event` → renderers. Nothing here prints, asks or exits.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::exit)]

mod answer;
pub mod cancel;
pub mod care;
pub mod code;
pub mod config;
pub mod dispatch;
pub mod docker;
pub mod doctor;
pub mod durable;
pub mod engine;
pub mod event;
pub mod exchange;
pub mod failure;
pub mod faults;
pub mod figure;
pub mod follow;
pub mod freeze;
pub mod goal;
pub mod history;
pub mod holder;
pub mod judge;
mod ledger;
pub mod life;
mod lines;
pub mod lock;
pub mod logs;
pub mod manifest;
pub mod mounts;
pub mod names;
pub mod observe;
pub mod order;
pub mod outside;
pub mod overview;
pub mod plan;
pub mod prior;
pub mod recorder;
pub mod records;
pub mod recover;
pub mod renderer;
pub mod report;
pub mod restic;
pub mod retention;
pub mod run_log;
pub mod scope;
pub mod standing;
pub mod status;
pub mod systemd;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timers;
pub mod view;
pub mod when;
pub mod words;
