//! `svc status`.

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::names::ServiceName;
use svc_core::standing::standing;

use super::usage;
use crate::args::StatusArgs;
use crate::context::Context;
use crate::render;
use crate::run::{document, say, write_out};

/// Says how things stand; the exit code says whether somebody is needed.
pub(crate) async fn run(context: &Context, args: &StatusArgs) -> Result<Code, Failure> {
    let config = &context.config;
    let one = args.service.as_ref().filter(|word| *word != "all");
    let names: Vec<ServiceName> = match one {
        Some(word) => vec![config.service(word).map_err(|e| usage(&e.into()))?.name.clone()],
        None => config.services.keys().cloned().collect(),
    };
    let outside = (!args.cached).then_some(&context.outside);
    let seen = standing(config, &context.scope, outside, &names, Timestamp::now()).await;
    if context.global.json {
        write_out(&document(&seen)?)?;
        return Ok(seen.code);
    }
    let look = context.choice().look();
    let text = match (one, seen.services.first()) {
        (Some(_), Some(service)) => render::status_of(service, seen.at, look),
        _ => render::status_table(&seen, look),
    };
    write_out(&text)?;
    say(&render::status_messages(&seen, context.choice().colour_on_stderr()));
    Ok(seen.code)
}
