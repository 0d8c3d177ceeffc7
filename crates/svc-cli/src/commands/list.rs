//! `svc list`.

use jiff::Timestamp;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::overview::overview;

use crate::context::Context;
use crate::render;
use crate::run::{document, write_out};

/// Lists the services: state, and how old their backups are.
pub(crate) async fn run(context: &Context) -> Result<Code, Failure> {
    let overview = overview(&context.config, &context.scope, &context.outside, Timestamp::now()).await;
    let text = if context.global.json {
        document(&overview)?
    } else {
        render::service_table(&overview, context.choice().look())
    };
    write_out(&text).map(|()| Code::Ok)
}
