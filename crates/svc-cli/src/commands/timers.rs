//! `svc timers`.

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::timers::timers;

use crate::context::Context;
use crate::render;
use crate::run::{document, write_out};

/// Lists the timers of the configuration and svc's own.
pub(crate) async fn run(context: &Context) -> Result<Code, Failure> {
    let seen = timers(&context.config, &context.outside).await.map_err(|error| Failure::from(&error))?;
    let text = if context.global.json {
        document(&seen)?
    } else {
        render::timer_table(&seen, Timestamp::now(), context.choice().look())
    };
    write_out(&text).map(|()| Code::Ok)
}
