use insta::assert_snapshot;
use svc_core::code::Code;
use svc_core::failure::Failure;
use svc_core::goal::{Goal, SnapshotChoice};
use svc_core::report::{Report, ServiceReport};

use super::{backup, plan_of, report_of, restore};
use crate::render::messages;

fn report(services: &[(&str, Failure)]) -> Report {
    let one = |(name, failure): &(&str, Failure)| {
        let mut report = ServiceReport::new(name.parse().unwrap());
        report.code = failure.code;
        report.failures.push(failure.clone());
        report
    };
    let services: Vec<ServiceReport> = services.iter().map(one).collect();
    Report {
        code: Code::worst(services.iter().map(|s| s.code)),
        verb: "backup".into(),
        took_ms: 1,
        crashed: false,
        services,
    }
}

fn goal() -> Goal {
    Goal::Backup {
        repositories: vec!["local".parse().unwrap(), "remote".parse().unwrap()],
        services: vec!["caddy".parse().unwrap(), "music".parse().unwrap(), "notes".parse().unwrap()],
    }
}

fn last_line(report: &Report, goal: &Goal) -> String {
    messages(report, goal, false).lines().last().unwrap().to_owned()
}

#[test]
fn a_failed_service_is_named_and_the_last_line_tries_it_again() {
    let text = messages(&report_of(&backup()), &plan_of(&backup()).goal, false);
    assert_snapshot!(text, @r"
    error: `music`: `/srv/music` is gone
    caused by: No such file or directory (os error 2)
    hint: svc backup remote music
    ");
}

#[test]
fn a_good_run_says_nothing() {
    assert_eq!(messages(&report_of(&restore()), &plan_of(&restore()).goal, false), "");
}

#[test]
fn what_hits_several_services_is_said_once_in_clean_lines() {
    let failure =
        Failure::new(Code::WrongPassword, "restic cat on repository `remote` failed: wrong password")
            .because("Fatal: wrong password\nor no key found\x1b]0;x\x07");
    let report = report(&[("caddy", failure.clone()), ("music", failure)]);
    assert_snapshot!(messages(&report, &goal(), false), @r"
    error: `caddy`, `music`: restic cat on repository `remote` failed: wrong password
    caused by: Fatal: wrong password
    caused by: or no key found\u{1b}]0;x\u{7}
    hint: svc backup local,remote caddy music
    ");
}

#[test]
fn a_hint_that_is_a_command_is_the_last_line_and_said_once() {
    let failure = Failure::new(Code::NoRepository, "there is no repository").hint("svc repo init remote");
    let text = messages(&report(&[("music", failure)]), &goal(), false);
    assert_snapshot!(text, @r"
    error: `music`: there is no repository
    hint: svc repo init remote
    ");
    let advice =
        Failure::new(Code::Refused, "it is another disk").hint("mount the right disk, or change `id`");
    assert_eq!(last_line(&report(&[("music", advice)]), &goal()), "hint: svc backup local,remote music");
}

#[test]
fn the_next_command_fits_the_worst_failure() {
    let last = |code: Code| {
        let others = ("caddy", Failure::new(Code::Failed, "it failed"));
        last_line(&report(&[others, ("notes", Failure::new(code, "why"))]), &goal())
    };
    assert_eq!(last(Code::NotResumed), "hint: svc start notes");
    assert_eq!(last(Code::Failed), "hint: svc backup local,remote caddy notes");
    assert_eq!(last(Code::Permission), "hint: sudo svc backup local,remote caddy notes");
}

#[test]
fn a_restore_is_repeated_with_its_snapshot() {
    let goal = Goal::Restore {
        repository: "local".parse().unwrap(),
        services: vec!["notes".parse().unwrap()],
        snapshot: SnapshotChoice::Id("4f1c9a2b".into()),
        start: true,
    };
    let report = report(&[("notes", Failure::new(Code::Damaged, "the stage lacks files"))]);
    assert_eq!(last_line(&report, &goal), "hint: svc restore local notes 4f1c9a2b --start");
}

#[test]
fn a_run_that_was_cancelled_before_anything_says_how_to_repeat_it() {
    let empty = Report {
        code: Code::Interrupted,
        verb: "backup".into(),
        took_ms: 1,
        crashed: false,
        services: Vec::new(),
    };
    assert_eq!(messages(&empty, &goal(), false), "hint: svc backup local,remote caddy music notes\n");
}

#[test]
fn labels_are_coloured_and_the_words_are_the_same() {
    let (report, goal) = (report_of(&backup()), plan_of(&backup()).goal);
    let coloured = messages(&report, &goal, true);
    assert!(coloured.starts_with("\x1b[1m\x1b[31merror:\x1b[0m `music`"), "{coloured:?}");
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), messages(&report, &goal, false));
}
