//! The command line of `cargo box`.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use svc_tests::bench::Subject;

/// Debian machines with real systemd, Docker and restic, for looking into by hand.
///
/// Without a name, `up` boots the homeserver: the machine `home` with its services and a fresh `svc`, linked to the
/// machine `vault` with the remote repository.
#[derive(Debug, Parser)]
#[command(name = "cargo box", bin_name = "cargo box")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Boots a box, made now if there is none of that name; without a name, the homeserver.
    Up(UpArgs),
    /// Shuts a box down and keeps its disks; without a name, the homeserver. Also clears away what killed tests left.
    Down(SomeArgs),
    /// Puts a box's disks back to what they were when it was made, and boots it again if it was up.
    Reset(OneArgs),
    /// Kills a box at once, as a power cut does; `up` boots it from the same disks.
    PowerCut(OneArgs),
    /// Runs a command in a box, and ends with its exit code.
    In(InArgs),
    /// Opens a shell in a box.
    Shell(OneArgs),
    /// Lists all boxes.
    Status,
    /// Links two running boxes, or puts a cut link back.
    Link(PairArgs),
    /// Pulls the cable between two boxes.
    Cut(PairArgs),
    /// Ends a box and deletes its disks; without a name, the homeserver.
    Delete(SomeArgs),
    /// Measures svc beside the bare tools in a box of its own, and writes it into `docs/benchmarks.md`.
    Bench(BenchArgs),
    /// What measures inside the box.
    #[command(hide = true)]
    Stopwatch,
    /// What is measured inside the box.
    #[command(hide = true)]
    Serve(ServeArgs),
    /// Kills runs at random places on a homeserver of its own, and prints a JSON line for each: what became of it.
    Faults(FaultsArgs),
    /// Saves a database that is written to at full speed, in each way, and prints a JSON line for each restored copy.
    Databases(DatabasesArgs),
    /// Removes the cache with all that was built; the next `up` builds it again.
    Purge,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// The box's name.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What a new box is made from.
    #[arg(long, value_enum, default_value = "pristine", requires = "name")]
    pub(crate) from: Origin,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Origin {
    /// Debian with systemd and Docker.
    Pristine,
    /// The homeserver's machine with the services.
    Home,
    /// The homeserver's machine with the remote repository.
    Vault,
}

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The box's name.
    #[arg(long, default_value = "home")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct SomeArgs {
    /// The box's name.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// All boxes but those of running tests, also those of others.
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What is measured: the other's figures in the page stay as they are.
    #[arg(value_enum, default_value = "commands")]
    pub(crate) subject: Subject,
    /// The box's name; one that is there is deleted.
    #[arg(long, default_value = "bench")]
    pub(crate) name: String,
    /// How many pairs at least.
    #[arg(long, default_value_t = 20)]
    pub(crate) pairs: usize,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// What it answers.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct InArgs {
    #[command(flatten)]
    pub(crate) machine: OneArgs,
    /// The command, run past any shell.
    #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct FaultsArgs {
    /// How many runs are killed.
    #[arg(long, default_value_t = 200)]
    pub(crate) kills: usize,
    /// The same seed kills at the same places.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct DatabasesArgs {
    /// How often in each way.
    #[arg(long, default_value_t = 20)]
    pub(crate) rounds: usize,
}

#[derive(Debug, Args)]
pub(crate) struct PairArgs {
    /// One box.
    #[arg(default_value = "home")]
    pub(crate) first: String,
    /// The other box.
    #[arg(default_value = "vault")]
    pub(crate) second: String,
}
