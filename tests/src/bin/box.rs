//! `cargo box`: boxes by hand.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use svc_tests::{Machine, host, link, machine, place, say, store::Store, tree};

/// Debian machines in a box: real systemd, real Docker, real restic.
#[derive(Debug, Parser)]
#[command(name = "cargo box", bin_name = "cargo box")]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Boot it
    Up {
        #[arg(long, default_value = "home")]
        name: String,
    },
    /// Down
    Down {
        #[arg(long, default_value = "home")]
        name: String,
    },
    /// Del
    Delete { names: Vec<String> },
    /// Cut
    PowerCut {
        #[arg(long, default_value = "home")]
        name: String,
    },
    /// In
    In {
        #[arg(long, default_value = "home")]
        name: String,
        #[arg(trailing_var_arg = true)]
        argv: Vec<String>,
    },
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    host::become_root()?;
    host::ensure_packages()?;
    let store = Arc::new(Store::open()?);
    match args.verb {
        Verb::Up { name } => {
            let mut m = match Machine::open(&store, &name)? {
                Some(m) => m,
                None => {
                    if name == "home" {
                        Machine::create(&store, &name, &svc_tests::homeserver::templates(&store)?.home)?
                    } else {
                        Machine::create(&store, &name, &tree::pristine(&store)?)?
                    }
                }
            };
            let t = std::time::Instant::now();
            m.up()?;
            say(&format!("{:?} {:?}", t.elapsed(), m.failed_units()?));
        }
        Verb::Down { name } => Machine::open(&store, &name)?.context("none")?.down()?,
        Verb::Delete { names } => {
            for name in names {
                machine::delete(&store, &name)?
            }
        }
        Verb::PowerCut { name } => Machine::open(&store, &name)?.context("none")?.power_cut()?,
        Verb::In { name, argv } => {
            let s = Machine::open(&store, &name)?.context("none")?.program(argv)?.attach()?;
            return Ok(ExitCode::from(s.code().unwrap_or(1) as u8));
        }
    }
    Ok(ExitCode::SUCCESS)
}
