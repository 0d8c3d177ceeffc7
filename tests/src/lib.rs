//! A homeserver in a box: real systemd, real Docker and real restic for the tests, the demo and the benchmarks.
//!
//! A *box* is a Debian tree booted by `systemd-nspawn`. Trees are built once (`tree`), kept on one btrfs
//! image (`store`) and cloned for each box, so that a box costs a second and not a minute. What is running is
//! a [`Machine`]; what a test takes is a [`Homeserver`], two linked machines with the services of
//! `fixtures/homeserver` on them.
//!
//! ```text
//! tree ─► template ─► machine (boot · enter · link · loops · cgroup) ─► lease ─► homeserver
//! ```

pub mod bench;
pub mod cgroup;
pub mod counter;
pub mod crowd;
pub mod databases;
pub mod enter;
pub mod homeserver;
pub mod host;
pub mod kills;
pub mod lease;
pub mod leftovers;
pub mod link;
pub mod machine;
pub mod metadata;
pub mod place;
pub mod processes;
pub mod screen;
pub mod store;
pub mod svc;
pub mod template;
pub mod tree;
pub mod wait;

mod boot;
mod loops;
mod mirror;
mod state;
mod tool;

pub use homeserver::Homeserver;
pub use host::boxes_unavailable;
pub use machine::Machine;
pub use tool::say;
