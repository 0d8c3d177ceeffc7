//! Names that mean harm, through the whole program: refused, or handed on as one value that nothing reads into.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use svc_core::config::{Defaults, parse};
use svc_core::names::ServiceName;

use crate::scene::Scene;

/// What a shell that sees a payload makes in the current directory.
const PWNED: &str = "pwned";

/// A restic that writes down its arguments and what it reads, each ended by NUL.
const RESTIC: &str = r#"#!/bin/sh
cd "${0%/*}" || exit 99
printf '%s\0' "$@" >> argv
for word in "$@"; do
    case "$word" in
    version) echo "restic 0.18.0 compiled with go1.24 on linux/amd64"; exit 0 ;;
    cat) echo '{"version":2,"id":"1111111111111111111111111111111111111111111111111111111111111111"}'; exit 0 ;;
    snapshots) echo '[]'; exit 0 ;;
    backup) cat > sources
        echo '{"message_type":"summary","files_new":3,"total_files_processed":3,"total_bytes_processed":30,"snapshot_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}'
        exit 0 ;;
    esac
done
exit 98
"#;

/// Detours, options, lines, quotes, substitutions and look-alikes.
const HARM: [&str; 72] = [
    "..",
    "../..",
    "../../etc/passwd",
    "/",
    "/etc/shadow",
    "./",
    ".",
    "-",
    "--",
    "-flag",
    "-\u{1b}[2J",
    "--\u{202e}x",
    "--x\ny",
    "--json=\u{1b}[2J",
    "-rf",
    "--password-command=touch pwned",
    "--option=sftp.command=touch pwned",
    "--files-from=/etc/shadow",
    "$(touch pwned)",
    "${IFS}touch${IFS}pwned",
    "`touch pwned`",
    ";touch pwned",
    "|touch pwned",
    "&touch pwned",
    "&&touch pwned",
    ">pwned",
    "<(touch pwned)",
    "\ntouch pwned\n",
    "\r\n",
    "\t",
    "\0",
    "\u{1b}[2J",
    "\u{1b}]0;x\u{7}",
    "\u{8}\u{8}",
    "\u{7f}",
    "\u{9b}2J",
    "\"",
    "'",
    "';touch pwned;'",
    "\";touch pwned;\"",
    "\\",
    "\\x00",
    "%00",
    "%s%n",
    "%n",
    "*",
    "?",
    "[a-z",
    "{a,b}",
    "~",
    "~root",
    "$HOME",
    "!!",
    "#",
    "=",
    "a=b",
    ":",
    "@",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{2215}",
    "\u{ff0f}",
    "é",
    "a\u{301}",
    "ｎotes",
    "nоtes",
    "\u{1f4be}",
    "\u{fffd}",
    ",",
    " ",
    "A",
];

/// Harm and giants, alone and around a good name.
fn payloads() -> Vec<String> {
    let around = ["", "notes", "a", "0"];
    let mut payloads: BTreeSet<String> = BTreeSet::new();
    for name in around {
        for harm in HARM {
            payloads.extend([
                format!("{name}{harm}"),
                format!("{harm}{name}"),
                format!("{name}{harm}{name}"),
            ]);
        }
    }
    payloads.extend([1 << 8, 1 << 12, 1 << 16].map(|length| "a".repeat(length)));
    payloads.extend(
        ["all", "all ", "ALL", "con", "null", "true", "\u{0}", "../notes", "notes/../notes"].map(Into::into),
    );
    // These are what they say.
    payloads.retain(|payload| !["all", "a", "0", "notes", "--"].contains(&payload.as_str()));
    payloads.into_iter().collect()
}

/// Has what was printed nothing in it that a terminal would obey, and is it short.
fn assert_calm(payload: &str, said: &[u8]) {
    let said = String::from_utf8_lossy(said);
    let odd = said.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    assert_eq!(odd, None, "{payload:?}: {said:?}");
    assert!(said.len() < 4000, "{payload:.80?}: {} bytes", said.len());
}

/// A scene with that restic, and nothing written yet.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("bin/restic", RESTIC);
    fs::set_permissions(scene.path("bin/restic"), fs::Permissions::from_mode(0o755)).unwrap();
    scene
}

/// Where words stand on the line: what comes before a payload, and what after.
const LINES: [(&[&str], &[&str]); 24] = [
    (&["backup", "local", "--"], &[]),
    (&["backup", "--"], &["notes"]),
    (&["restore", "--yes", "--", "local", "notes"], &[]),
    (&["restore", "--yes", "local", "--"], &[]),
    (&["start", "--"], &[]),
    (&["stop", "--yes", "--"], &[]),
    (&["restart", "--recreate", "--"], &[]),
    (&["logs", "--no-follow", "--"], &[]),
    (&["list-backups", "local", "--"], &[]),
    (&["runs", "--"], &[]),
    (&["status", "--"], &[]),
    (&["attach", "--"], &[]),
    (&["cancel", "--"], &[]),
    (&["recover", "--"], &[]),
    (&["forget", "--yes", "local", "--"], &[]),
    (&["repo", "init", "--"], &[]),
    (&["repo", "check", "--"], &[]),
    (&["repo", "check", "local", "--subset"], &[]),
    (&["repo", "prune", "--"], &[]),
    (&["repo", "unlock", "--"], &[]),
    (&["repo", "stats", "--"], &[]),
    (&["completions", "--"], &[]),
    // Where an option may stand, and where a verb does.
    (&["backup", "local"], &[]),
    (&[], &[]),
];

#[test]
fn fault_40_five_hundred_payloads_on_the_command_line_are_wrong_usage_and_reach_nobody() {
    let scene = scene();
    let payloads: Vec<String> = payloads().into_iter().filter(|payload| !payload.contains('\0')).collect();
    assert!(payloads.len() >= 500, "{}", payloads.len());
    for (place, payload) in payloads.iter().enumerate() {
        // Places take turns; what could be an option, or move the cursor, stands also where the parser answers.
        let is_worst = payload.starts_with('-') || payload.contains(char::is_control);
        let turns = |at: usize| at == place % LINES.len() || is_worst && at + 2 >= LINES.len();
        for (_, (before, after)) in LINES.iter().enumerate().filter(|(at, _)| turns(*at)) {
            let line: Vec<&str> = [before, [payload.as_str()].as_slice(), after].concat();
            let output = scene.output(["--user"].iter().chain(&line));
            assert_eq!(output.status.code(), Some(2), "{line:.200?}: {output:?}");
            assert!(output.stdout.is_empty(), "{line:.200?}: {output:?}");
            assert_calm(payload, &output.stderr);
        }
    }
    for left in ["bin/argv", "state", PWNED] {
        assert!(!scene.path(left).exists(), "`{left}` is there");
    }
}

#[test]
fn fault_40_five_hundred_payloads_as_names_in_a_configuration_are_refused() {
    let scene = scene();
    let file = "config/svc/services.json";
    // `notes..` and `a-flag` are as good as other names: nothing reads into them.
    let is_no_name = |payload: &String| payload.parse::<ServiceName>().is_err();
    let payloads: Vec<String> = payloads().into_iter().filter(is_no_name).collect();
    assert!(payloads.len() >= 500, "{}", payloads.len());
    // Twenty at once: each is told by its place.
    for some in payloads.chunks(20) {
        let services: serde_json::Map<String, Value> =
            some.iter().map(|name| (name.clone(), json!({}))).collect();
        let units: Vec<String> = some.iter().map(|name| format!("{name}.exe")).collect();
        let text = json!({"services": services, "repositories": {&some[0]: {}}, "timers": [{"name": "t", "unit": units[0]}]});
        scene.write(file, &text.to_string());
        let output = scene.output(["--user", "config", "check"]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(6), 0), "{told}");
        assert!(told.contains(&format!("has {} problem", some.len() + 2)), "{}: {told}", some.len() + 2);
        assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told:?}");
    }
    assert!(scene.output(["--user", "backup", "local", "all"]).status.code() == Some(6));
    for left in ["bin/argv", "state", PWNED] {
        assert!(!scene.path(left).exists(), "`{left}` is there");
    }
}

/// Whether a configuration with this in a service's backup is taken.
fn is_taken(key: &str, value: &str) -> bool {
    let text = json!({"services": {"a": {"backup": {key: [value]}}}}).to_string();
    let defaults = Defaults { hostname: "home".into(), state_dir: "/s".into(), cache_dir: "/c".into() };
    parse(text.as_bytes(), &defaults).is_ok()
}

/// A configuration that has all of these in one service's backup.
fn configure(scene: &Scene, tags: &[String], patterns: &[String], paths: &[String]) {
    let root = scene.path("").display().to_string();
    let text = json!({
        "host": "home",
        "repositories": {"local": {
            "repository": "/-r;touch pwned",
            "passwordFile": format!("{root}secret"),
            "options": {"sftp.command": "$(touch pwned)"}
        }},
        "services": {"notes": {"backup": {
            "enable": true, "needsServiceStopped": false, "tags": tags, "exclude": patterns, "paths": paths
        }}}
    });
    scene.write("config/svc/services.json", &text.to_string());
}

#[test]
fn fault_40_payloads_that_tags_patterns_and_paths_may_hold_reach_restic_as_one_value_each() {
    let scene = scene();
    let of = |key: &str| -> Vec<String> { payloads().into_iter().filter(|it| is_taken(key, it)).collect() };
    let (tags, patterns) = (of("tags"), of("exclude"));
    let is_name = |it: &String| it.len() < 256 && !it.contains('/') && is_taken("paths", &format!("/{it}"));
    let odd = payloads().into_iter().filter(is_name).map(|name| scene.path("odd").join(name));
    let paths: Vec<String> = odd.map(|path| path.display().to_string()).collect();
    for path in &paths {
        fs::create_dir_all(path).unwrap();
    }
    assert!(tags.len() + patterns.len() + paths.len() >= 500);
    configure(&scene, &tags, &patterns, &paths);

    let output = scene.output(["--user", "backup", "local", "notes"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let argv = fs::read_to_string(scene.path("bin/argv")).unwrap();
    let argv: Vec<&str> = argv.trim_end_matches('\0').split('\0').collect();
    for (option, values) in [("--tag", &tags), ("--exclude", &patterns)] {
        for value in values {
            assert!(argv.contains(&format!("{option}={value}").as_str()), "{option} {value:?} in {argv:?}");
        }
    }
    // Nothing stands for itself: each argument is a verb or an option with its value.
    let mut bare = argv.iter().filter(|word| !word.starts_with("--"));
    assert!(bare.all(|word| ["version", "cat", "config", "snapshots", "backup"].contains(word)), "{argv:?}");
    let sources = fs::read(scene.path("bin/sources")).unwrap();
    let sources: BTreeSet<&[u8]> = sources.split(|byte| *byte == 0).collect();
    assert!(paths.iter().all(|path| sources.contains(path.as_bytes())));
    for directory in ["", "bin", "state", "odd"] {
        assert!(!scene.path(directory).join(PWNED).exists(), "in `{directory}`");
    }
}
