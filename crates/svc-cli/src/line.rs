//! The line as it was typed: its arguments, or what is wrong with it in svc's own form.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Command, CommandFactory, Parser};
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_tui::text;

use crate::args::{Args, Output};
use crate::exit;
use crate::render::{RenderChoice, next_line};

/// Verbs that other tools have, and svc's words for them.
const ELSEWHERE: [(&str, &[&str]); 9] = [
    ("check", &["config check", "doctor"]),
    ("down", &["stop"]),
    ("history", &["runs"]),
    ("init", &["repo init"]),
    ("log", &["logs"]),
    ("ps", &["list"]),
    ("save", &["backup"]),
    ("snapshots", &["list-backups"]),
    ("up", &["start"]),
];

/// How much of a word is repeated.
const LONGEST: usize = 60;

/// The arguments of this process; where there are none to be had, all has been said, and this is how it ends.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    let line: Vec<OsString> = std::env::args_os().collect();
    match parse_from(&line) {
        Ok(args) => Ok(args),
        Err(error) if error.use_stderr() => Err(tell(&error, &line)),
        // Help and version are what was asked for.
        Err(error) => {
            let _ = error.print();
            Err(ExitCode::SUCCESS)
        }
    }
}

/// `svc help backup` is `svc backup --help`, as everywhere.
fn parse_from(line: &[OsString]) -> Result<Args, Error> {
    match line {
        [svc, help, of @ ..] if help == "help" => {
            let line = [svc].into_iter().chain(of).cloned().chain(["--help".into()]);
            Args::try_parse_from(line)
        }
        line => Args::try_parse_from(line),
    }
    .map_err(with_tip)
}

/// No word is repeated to the terminal with what a terminal obeys, nor at great length.
fn harmless(mut error: Error) -> Error {
    let typed: Vec<(ContextKind, String)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(word) if text::visible(word) != *word || word.len() > LONGEST => {
                Some((kind, word.clone()))
            }
            _ => None,
        })
        .collect();
    for (kind, word) in typed {
        error.insert(kind, ContextValue::String(text::fit(&text::visible(&word), LONGEST)));
        // The tip has the word in it, too.
        error.remove(ContextKind::Suggested);
    }
    error
}

/// The same error with the word that was probably meant.
fn with_tip(error: Error) -> Error {
    let mut error = harmless(error);
    let tip = |words: &[&str]| ContextValue::Strings(words.iter().map(ToString::to_string).collect());
    let typed = |error: &Error, kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.clone()),
        _ => None,
    };
    if let Some(word) = typed(&error, ContextKind::InvalidSubcommand) {
        if let Some((_, ours)) = ELSEWHERE.iter().find(|(theirs, _)| *theirs == word) {
            error.insert(ContextKind::SuggestedSubcommand, tip(ours));
        }
    } else if typed(&error, ContextKind::InvalidArg).is_some_and(|word| word == "--all") {
        error.remove(ContextKind::Suggested);
        error.insert(ContextKind::SuggestedArg, ContextValue::String("all".to_owned()));
    }
    error
}

/// Says what is wrong, and as the last line what to type next.
fn tell(error: &Error, line: &[OsString]) -> ExitCode {
    let has = |option: &str| line.iter().any(|word| word == option);
    let output = Output { json: has("--json"), plain: false, no_color: has("--no-color") };
    let help = format!("{} --help", verb(&Args::command(), line));
    let text = error.render();
    if output.json {
        let text = text.to_string();
        let message: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        let message = message.join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        return exit::code(output, Err(Failure::new(Code::Usage, message).hint(help)));
    }
    let colour = RenderChoice::detect(output).colour_on_stderr();
    let text = if colour { text.ansi().to_string() } else { text.to_string() };
    // A verb of verbs without one shows its whole help, which needs no pointer to itself.
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let told = text.split("\nFor more information").next().unwrap_or_default().trim_end();
    let next = if is_help { String::new() } else { format!("\n{}", next_line(&help, colour)) };
    // A reader that is gone changes nothing about the code.
    let _ = write!(std::io::stderr(), "{told}\n{next}");
    ExitCode::from(Code::Usage.number())
}

/// The verb that the line is about: `svc repo init`, or `svc` alone.
fn verb(command: &Command, line: &[OsString]) -> String {
    let mut found = "svc".to_owned();
    let mut command = command;
    for word in line.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(verb) = command.find_subcommand(word) {
            found = format!("{found} {word}");
            command = verb;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Vec<OsString> {
        std::iter::once("svc").chain(words.split_whitespace()).map(OsString::from).collect()
    }

    #[test]
    fn verbs_of_other_tools_are_answered_with_svcs_own() {
        let command = Args::command();
        for (theirs, ours) in ELSEWHERE {
            let told = parse_from(&line(theirs)).unwrap_err().to_string();
            for verb in ours {
                assert!(told.contains(&format!("'{verb}'")), "{told}");
                let known = verb.split(' ').try_fold(&command, |command, word| command.find_subcommand(word));
                assert!(known.is_some(), "`{verb}` is no verb");
            }
            assert!(command.find_subcommand(theirs).is_none(), "`{theirs}` is svc's own");
        }
    }

    #[test]
    fn help_as_a_word_is_help_as_an_option() {
        let text = |words| parse_from(&line(words)).unwrap_err().to_string();
        assert_eq!(text("help repo init"), text("repo init --help"));
        assert_eq!(text("help"), text("--help"));
    }

    #[test]
    fn the_verb_of_a_line_is_found_among_its_options() {
        let verb = |words| verb(&Args::command(), &line(words));
        assert_eq!(verb("-n repo --json init"), "svc repo init");
        assert_eq!(verb("--json"), "svc");
    }
}
