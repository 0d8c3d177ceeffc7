//! The command line of what looks at runs.

use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;

/// Which runs.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc runs                   the last 20
  svc runs --limit 200
  svc runs latest            the last one, step by step
  svc runs 20261120T0900     the one whose id begins so")]
pub(crate) struct RunsArgs {
    /// `latest`, an id or the beginning of one: shows that run.
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "run", value_parser = from_one())]
    pub(crate) limit: usize,
}

/// Which run.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  svc attach                 the run that is at work; Ctrl-C leaves it so
  svc cancel 20261120T0900   the one whose id begins so")]
pub(crate) struct RunArgs {
    /// `latest`, an id or the beginning of one; none: the newest that is at work.
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
}

/// None at all is no answer to "the last runs".
fn from_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}
