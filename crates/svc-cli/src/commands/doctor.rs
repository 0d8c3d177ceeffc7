//! `svc doctor`.

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::doctor::diagnose;
use svc_core::failure::Failure;

use crate::context::Context;
use crate::render;
use crate::run::{document, say, write_out};

/// Finds what stands in the way, each with its fix.
pub(crate) async fn run(context: &Context) -> Result<Code, Failure> {
    let Context { config, scope, outside, warnings, .. } = context;
    let diagnosis = diagnose(config, scope, outside, warnings, Timestamp::now()).await;
    if context.global.json {
        write_out(&document(&diagnosis)?)?;
    } else {
        let choice = context.choice();
        write_out(&render::finding_table(&diagnosis, choice.look()))?;
        say(&render::first_fix(&diagnosis, choice.colour_on_stderr()));
    }
    Ok(diagnosis.code)
}
