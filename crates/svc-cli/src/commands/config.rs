//! `svc config`.

use svc_core::code::Code;
use svc_core::config::{self, Problem};
use svc_core::failure::Failure;
use svc_tui::figures;

use crate::args::{ConfigArgs, ConfigVerb, GlobalArgs};
use crate::context;
use crate::documents::{CheckDocument, ErrorDocument};
use crate::render::{self, RenderChoice};
use crate::run::{document, say, write_out};

/// Looks at the configuration.
pub(crate) fn run(global: &GlobalArgs, args: &ConfigArgs) -> Result<Code, Failure> {
    match args.verb {
        ConfigVerb::Check => check(global),
        ConfigVerb::Show => show(global),
        ConfigVerb::Schema => write_out(&document(&config::schema())?).map(|()| Code::Ok),
    }
}

/// Names every problem; says so when there is none.
fn check(global: &GlobalArgs) -> Result<Code, Failure> {
    let scope = context::scope(global)?;
    let file = &scope.config_file;
    let config = match context::try_read(&scope) {
        Ok(config) => config,
        Err(error) if error.problems().is_empty() => return Err(context::config_failure(&scope, &error)),
        Err(error) => return refuse(global, &context::config_failure(&scope, &error), error.problems()),
    };
    let (services, repositories) = (config.services.len(), config.repositories.len());
    if global.json {
        let said = CheckDocument { services, repositories, warnings: &config.warnings };
        return write_out(&document(&said)?).map(|()| Code::Ok);
    }
    let colour = RenderChoice::detect(global.output()).colour_on_stderr();
    say(&render::problem_lines(file, "warning:", &config.warnings, colour));
    let services = figures::plural(services, "service", "services");
    let repositories = figures::plural(repositories, "repository", "repositories");
    let said = format!("`{}` is good: {services}, {repositories}\n", file.display());
    write_out(&said).map(|()| Code::Ok)
}

/// All problems at once, each with its place and hint.
fn refuse(global: &GlobalArgs, failure: &Failure, problems: &[Problem]) -> Result<Code, Failure> {
    if global.json {
        write_out(&document(&ErrorDocument { error: failure, problems: Some(problems) })?)?;
    }
    let file = context::scope(global)?.config_file;
    let colour = RenderChoice::detect(global.output()).colour_on_stderr();
    let bare = Failure::new(failure.code, failure.message.clone());
    let next = Failure { hint: failure.hint.clone(), ..bare.clone() };
    say(&render::problem_lines(&file, "error:", problems, colour));
    say(&render::failure_text(&next, colour));
    Ok(failure.code)
}

/// The configuration as it counts.
fn show(global: &GlobalArgs) -> Result<Code, Failure> {
    let scope = context::scope(global)?;
    let engine = std::env::var("DOCKER_HOST").is_ok_and(|host| host.starts_with("unix://"));
    let seen = config::effective(
        &scope.config_file,
        &context::defaults(&scope),
        &scope,
        engine.then_some("DOCKER_HOST"),
    )
    .map_err(|error| context::config_failure(&scope, &error))?;
    let text = if global.json {
        document(&seen)?
    } else {
        render::effective_table(&seen, global.verbose, RenderChoice::detect(global.output()).look())
    };
    write_out(&text).map(|()| Code::Ok)
}
