//! The command line from outside: stdout, stderr and exit status of the binary, in a world without systemd and Docker.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a scene that cannot be set is a failed test")]

mod backups;
mod broken;
mod config;
mod every_verb;
mod failures;
mod forget;
mod help;
mod hostile;
mod json;
mod lifecycle;
mod logs;
mod repo;
mod runs;
mod scene;
