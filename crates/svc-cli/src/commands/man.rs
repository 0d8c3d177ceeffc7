//! `svc man`.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use svc_core::code::Code;
use svc_core::failure::Failure;

use crate::args::{Args, ManArgs};
use crate::run::write_out;

/// Prints one manual page, or writes all of them into a directory.
pub(crate) fn run(args: &ManArgs) -> Result<Code, Failure> {
    let pages = pages();
    let Some(directory) = &args.directory else {
        let page = pages.into_iter().next().map(|(_, page)| page).unwrap_or_default();
        return write_out(&String::from_utf8_lossy(&page)).map(|()| Code::Ok);
    };
    let write = |(name, page): (String, Vec<u8>)| std::fs::write(directory.join(name), page);
    std::fs::create_dir_all(directory).and_then(|()| pages.into_iter().try_for_each(write)).map_err(
        |error| {
            Failure::new(Code::Failed, format!("the pages cannot be written to `{}`", directory.display()))
                .because(error.to_string())
                .hint("svc man | man -l -")
        },
    )?;
    Ok(Code::Ok)
}

/// `svc.1`, then one for each verb and verb of a verb, by file name.
pub(crate) fn pages() -> Vec<(String, Vec<u8>)> {
    let mut pages = Vec::new();
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    add(&mut pages, "svc", &command);
    pages
}

/// Adds the page of a command, as it is typed, and of each of its own.
fn add(pages: &mut Vec<(String, Vec<u8>)>, typed: &str, command: &Command) {
    let name = typed.replace(' ', "-");
    let named = command.clone().name(name.clone()).bin_name(typed);
    let mut page = Vec::new();
    // A vector takes everything.
    let _ = Man::new(named).date("").render(&mut page);
    pages.push((format!("{name}.1"), page));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        add(pages, &format!("{typed} {}", verb.get_name()), verb);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_pages_in_the_tree_are_those_of_the_command_line() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/man");
        if std::env::var_os("SVC_BLESS").is_some() {
            run(&ManArgs { directory: Some(directory.clone()) }).unwrap();
        }
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
        };
        let in_tree: BTreeMap<String, Vec<u8>> = std::fs::read_dir(directory).unwrap().map(read).collect();
        let expected: BTreeMap<String, Vec<u8>> = pages().into_iter().collect();
        let names = |pages: &BTreeMap<String, Vec<u8>>| pages.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&in_tree), names(&expected), "SVC_BLESS=1 writes them anew");
        for (name, page) in &expected {
            assert!(in_tree[name] == *page, "`{name}` is old: SVC_BLESS=1 writes it anew");
        }
    }
}
