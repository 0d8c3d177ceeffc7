//! The tables of the verbs that only look, on every width.

use insta::assert_snapshot;
use jiff::Timestamp;
use serde_json::json;
use svc_core::config::{Effective, Leaf, Origin};
use svc_core::doctor::Diagnosis;
use svc_core::history::RunSummary;
use svc_core::overview::Overview;
use svc_core::standing::Standing;
use svc_core::timers::TimerOverview;

use super::assert_fits;
use crate::render::{
    Look, effective_table, finding_table, home, run_table, service_table, status_of, status_table,
    timer_table,
};

const NOW: &str = "2026-11-20T12:00:00Z";

const fn look(width: usize) -> Look {
    Look { width, colour: false, glyphs: true }
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn attempt(at: &str, code: &str) -> serde_json::Value {
    json!({"run": "r1", "at": at, "code": code, "snapshot": "4f1c9a2b".repeat(8),
        "counts": {"files": 12400, "bytes": 3_000_000_000_u64}, "added": 32_505_856, "tookMs": 48_000, "downtimeMs": 39_000})
}

/// One in good health, one that failed, one that is unknown, one that is not backed up.
fn services() -> serde_json::Value {
    let good = attempt("2026-11-20T09:00:00Z", "ok");
    let backup = |repository: &str, good: &serde_json::Value, last: &serde_json::Value, overdue: bool| json!({"repository": repository, "lastGood": good, "lastAttempt": last, "overdue": overdue});
    let failed = attempt("2026-11-20T11:00:00Z", "unreachable");
    json!([
        {"name": "paperless", "state": {"word": "running", "text": "running", "health": "healthy",
            "since": "2026-11-20T03:00:00Z"},
         "backups": [backup("local", &good, &good, false), backup("remote", &good, &good, false)],
         "nextRun": {"at": "2026-11-21T03:00:00Z", "timer": "svc-backup@local.timer"}},
        {"name": "home-assistant-core", "state": {"word": "partial", "running": 2, "total": 3,
            "text": "partial (2/3)", "detail": "home-assistant-core-db-1: Exited (1) 2 hours ago"},
         "backups": [backup("local", &good, &failed, true)]},
        {"name": "music", "state": {"word": "unknown", "why": "Docker cannot be reached", "text": "unknown",
            "detail": "Docker cannot be reached"},
         "backups": [backup("local", &json!(null), &json!(null), true)]},
        {"name": "caddy", "state": {"word": "stopped", "text": "stopped"}, "backups": []}
    ])
}

fn overview() -> Overview {
    serde_json::from_value(json!({"at": NOW, "services": services()})).unwrap()
}

fn standing() -> Standing {
    let mut services = services();
    services[1]["backups"][0]["failure"] = json!({"code": "unreachable",
        "message": "the repository `local` cannot be reached", "causes": ["dial tcp: connection refused"]});
    services[1]["left"] = json!([{"run": "20261120T090000-1", "service": "home-assistant-core", "crashed": true,
        "phase": "backing up", "down": [{"unit": "home-assistant.service"}], "exchanging": false}]);
    serde_json::from_value(json!({"at": NOW, "code": "notResumed", "services": services})).unwrap()
}

fn runs() -> Vec<RunSummary> {
    let run = |run: &str, fate: serde_json::Value, services: &[&str]| {
        let mut run = json!({"run": run, "verb": "backup", "began": "2026-11-20T09:00:00Z", "services": services,
            "repositories": ["local"], "tookMs": 48_000, "downtimeMs": 39_000});
        run.as_object_mut().unwrap().extend(fate.as_object().unwrap().clone());
        serde_json::from_value(run).unwrap()
    };
    vec![
        run("20261120T110000-0f00d1234", json!({"fate": "running"}), &["paperless"]),
        run("20261120T090000-0f00d1233", json!({"fate": "ended", "code": "ok"}), &["a", "b", "c", "d", "e"]),
        run("20261119T090000-0f00d1232", json!({"fate": "crashed"}), &["paperless", "music"]),
    ]
}

fn timers() -> Vec<TimerOverview> {
    serde_json::from_value(json!([
        {"name": "nightly backup", "timer": "restic-backup-local.timer", "description": "everything, every night",
         "state": "waiting", "last": "2026-11-20T03:00:00Z", "next": "2026-11-21T03:00:00Z",
         "unit": "restic-backup-local.service", "result": "exit-code"},
        {"name": "svc-check@local.timer", "timer": "svc-check@local.timer", "description": null,
         "state": "notEnabled", "last": null, "next": null, "unit": "svc-check@local.service", "result": null}
    ]))
    .unwrap()
}

fn diagnosis() -> Diagnosis {
    serde_json::from_value(json!({"at": NOW, "code": "unhealthy", "findings": [
        {"check": "restic", "grade": "good", "said": "version 0.18.0"},
        {"check": "repository remote", "grade": "problem", "said": "the repository `remote` cannot be reached",
         "causes": ["dial tcp 10.0.0.2:8000: connection refused"], "fix": "svc doctor"}
    ]}))
    .unwrap()
}

fn effective() -> Effective {
    let leaf = |section: &str, key: &str, value: serde_json::Value, origin| Leaf {
        section: section.to_owned(),
        key: key.to_owned(),
        value,
        origin,
    };
    let leaves = vec![
        leaf("", "host", json!("home"), Origin::Hostname),
        leaf(
            "services.notes",
            "backup.paths",
            json!(["/srv/notes", "/srv/notes-attachments"]),
            Origin::File { line: 6, column: 81 },
        ),
        leaf("services.notes", "backup.exclude", json!([]), Origin::Default),
        leaf("services.notes", "backup.maxShrinkPercent", json!(50), Origin::Default),
    ];
    Effective {
        file: "/etc/svc/services.json".into(),
        config: json!({}),
        origins: serde_json::from_str("{}").unwrap(),
        leaves,
    }
}

#[test]
fn every_width_from_40_to_200_columns_holds_every_table() {
    let standing = standing();
    for width in 40..=200 {
        let look = look(width);
        for text in [
            service_table(&overview(), look),
            status_table(&standing, look),
            status_of(&standing.services[1], now(), look),
            run_table(&runs(), now(), look),
            timer_table(&timers(), now(), look),
            finding_table(&diagnosis(), look),
            effective_table(&effective(), true, look),
        ] {
            assert_fits(&text, width);
        }
    }
}

#[test]
fn a_wide_list_has_health_and_the_next_run_and_a_narrow_one_the_backups() {
    assert_snapshot!(service_table(&overview(), look(140)), @r"
    service              state            health   since  last good backup          next
    paperless            ● running        healthy    9 h  local 3 h, remote 3 h     in 15 h
    home-assistant-core  ◐ partial (2/3)                  local 3 h (failed since)           home-assistant-core-db-1: Exited (1) 2 hours ago
    music                ? unknown                        local never                        Docker cannot be reached
    caddy                ○ stopped                        not backed up
    ");
    assert_snapshot!(service_table(&overview(), look(60)), @r"
    service              state            last good backup
    paperless            ● running        local 3 h, remote 3
                                          h
    home-assistant-core  ◐ partial (2/3)  local 3 h (failed
                                          since)
    music                ? unknown        local never
    caddy                ○ stopped        not backed up
    ");
    assert_snapshot!(service_table(&overview(), look(40)), @r"
    service       state        last good
                               backup
    paperless     ● running    local 3 h,
                               remote 3 h
    home-assista  ◐ partial    local 3 h
    nt-core       (2/3)        (failed
                               since)
    music         ? unknown    local never
    caddy         ○ stopped    not backed
                               up
    ");
}

/// What `svc` alone says of services in these states, with a backup that is good, or failed.
fn home_of(states: &[(&str, serde_json::Value)], last: &serde_json::Value) -> String {
    let good = attempt("2026-11-20T09:00:00Z", "ok");
    let service = |(name, word): &(&str, serde_json::Value)| {
        let mut state = word.clone();
        state["text"] = word["word"].clone();
        let backup = json!({"repository": "local", "lastGood": good, "lastAttempt": last, "overdue": false});
        json!({"name": name, "state": state, "backups": [backup]})
    };
    let services: Vec<serde_json::Value> = states.iter().map(service).collect();
    let seen = serde_json::from_value(json!({"at": NOW, "services": services})).unwrap();
    home(&seen, look(100))
}

#[test]
fn svc_alone_counts_the_states_and_ends_with_the_command_that_helps() {
    let word = |word: &str| json!({"word": word});
    let good = attempt("2026-11-20T09:00:00Z", "ok");
    assert_snapshot!(home_of(&[("a", word("running")), ("b", word("stopped")), ("c", word("running"))], &good), @r"
    3 services, nothing to look at: 2 running, 1 stopped

    next: svc tui
    ");
    let unknown = ("a", json!({"word": "unknown", "why": "Docker cannot be reached"}));
    let partial = ("c", json!({"word": "partial", "running": 1, "total": 2}));
    let next = |states: &[_], last| home_of(states, last).lines().last().unwrap_or_default().to_owned();
    let at_work = |word: &str| json!({"word": word, "atWork": {"run": "r1", "verb": "backup"}});
    assert_snapshot!(home_of(&[("a", at_work("stopped")), ("b", at_work("failed"))], &good), @r"
    2 services, nothing to look at: 1 stopped, 1 failed

    next: svc attach r1
    ");
    assert_eq!(next(&[("a", word("failed")), ("b", at_work("stopped"))], &good), "next: svc start a");
    assert_eq!(next(std::slice::from_ref(&unknown), &good), "next: svc doctor");
    assert_eq!(next(&[unknown.clone(), partial], &good), "next: svc doctor");
    assert_eq!(next(&[unknown, ("b", word("failed"))], &good), "next: svc start b");
    assert_eq!(next(&[("a", word("unhealthy"))], &good), "next: svc restart a");
    assert_eq!(next(&[("a", word("paused"))], &good), "next: svc restart a");
    assert_eq!(next(&[("a", word("byHand"))], &good), "next: svc stop a && svc start a");
    assert_eq!(
        next(&[("a", word("running"))], &attempt("2026-11-20T11:00:00Z", "failed")),
        "next: svc status a"
    );
}

#[test]
fn a_status_names_what_failed_and_what_was_left_down() {
    assert_snapshot!(status_table(&standing(), look(140)), @r"
      service              state            repository  backup     last good     size  took  downtime
      paperless            ● running        local       ✓ good     3 h ago    2.8 GiB  48 s      39 s
                                            remote      ✓ good     3 h ago    2.8 GiB  48 s      39 s
      home-assistant-core  ◐ partial (2/3)  local       ✗ failed   3 h ago    2.8 GiB  48 s      39 s  home-assistant-core-db-1: Exited (1) 2
                                                                                                       hours ago
                                                                                                       unreachable 1 h ago: the repository
                                                                                                       `local` cannot be reached
      music                ? unknown        local       ! missing  never                               Docker cannot be reached
      caddy                ○ stopped                    none

    home-assistant-core: run 20261120T090000-1 crashed while backing up; down: home-assistant.service
    ");
    assert_snapshot!(status_table(&standing(), look(60)), @r"
      service              repository  backup     last good
      paperless            local       ✓ good     3 h ago
                           remote      ✓ good     3 h ago
      home-assistant-core  local       ✗ failed   3 h ago
      music                local       ! missing  never
      caddy                            none

    home-assistant-core: run 20261120T090000-1 crashed while
    backing up; down: home-assistant.service
    ");
    assert_snapshot!(status_table(&standing(), look(40)), @r"
      service              backup
      paperless            ✓ good
                           ✓ good
      home-assistant-core  ✗ failed
      music                ! missing
      caddy                none

    home-assistant-core: run
    20261120T090000-1 crashed while backing
    up; down: home-assistant.service
    ");
}

#[test]
fn runs_and_timers_keep_what_matters_on_a_narrow_terminal() {
    assert_snapshot!(run_table(&runs(), now(), look(120)), @r"
    run                        began             age      verb    result     took  downtime  services
    20261120T110000-0f00d1234  2026-11-20 09:00  3 h ago  backup  ↑ running  48 s      39 s  paperless
    20261120T090000-0f00d1233  2026-11-20 09:00  3 h ago  backup  ✓ ok       48 s      39 s  a, b, c and 2 more
    20261119T090000-0f00d1232  2026-11-20 09:00  3 h ago  backup  ✗ crashed  48 s      39 s  paperless, music
    ");
    assert_snapshot!(run_table(&runs(), now(), look(50)), @r"
    run                        verb    result
    20261120T110000-0f00d1234  backup  ↑ running
    20261120T090000-0f00d1233  backup  ✓ ok
    20261119T090000-0f00d1232  backup  ✗ crashed
    ");
    assert_snapshot!(timer_table(&timers(), now(), look(140)), @r"
    timer                  state          last     result       next     starts
    nightly backup         ● waiting      9 h ago  ✗ exit-code  in 15 h  restic-backup-local.service  everything, every night
    svc-check@local.timer  ! not enabled  never                          svc-check@local.service
    ");
    assert_snapshot!(timer_table(&timers(), now(), look(50)), @r"
    timer                  result       next
    nightly backup         ✗ exit-code  in 15 h
    svc-check@local.timer
    ");
}

#[test]
fn a_finding_has_its_cause_and_its_fix_below_it() {
    assert_snapshot!(finding_table(&diagnosis(), look(80)), @r"
      check
      restic             ✓ good     version 0.18.0
      repository remote  ✗ problem  the repository `remote` cannot be reached
                                    because: dial tcp 10.0.0.2:8000: connection
                                    refused
                                    fix: svc doctor

    1 problem
    ");
}
