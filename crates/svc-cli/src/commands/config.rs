//! `svc config`.

use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_tui::figures;

use crate::args::{ConfigArgs, ConfigVerb, GlobalArgs};
use crate::context;
use crate::run::{document, write_out};

/// Looks at the configuration.
pub(crate) fn run(global: &GlobalArgs, args: &ConfigArgs) -> Result<Code, Failure> {
    match args.verb {
        ConfigVerb::Check => check(global),
    }
}

/// Names every problem; says so when there is none.
fn check(global: &GlobalArgs) -> Result<Code, Failure> {
    let scope = context::scope(global)?;
    let config = context::read(&scope)?;
    let (services, repositories) = (config.services.len(), config.repositories.len());
    let text = if global.json {
        let warnings = &config.warnings;
        document(
            &serde_json::json!({ "services": services, "repositories": repositories, "warnings": warnings }),
        )?
    } else {
        let warnings: Vec<String> =
            config.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
        let file = scope.config_file.display();
        let services = figures::plural(services, "service", "services");
        let repositories = figures::plural(repositories, "repository", "repositories");
        format!("{}`{file}` is good: {services}, {repositories}\n", warnings.concat())
    };
    write_out(&text).map(|()| Code::Ok)
}
