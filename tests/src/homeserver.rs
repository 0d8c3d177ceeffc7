//! The homeserver of `fixtures/homeserver`: a machine `home` with its services, linked to a machine `vault` with the
//! remote repository.

pub mod music;

mod build;
mod music_writer;

pub use build::{Templates, templates};

/// The seed of all generated data.
pub const SEED: u64 = 7;
