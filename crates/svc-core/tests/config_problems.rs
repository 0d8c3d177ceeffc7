//! Each kind of broken file is refused with place, message and hint, and nothing makes the reader panic.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use svc_core::config::{Config, Defaults, Problem, parse};

const TABLE: &str = include_str!("data/problems.txt");
const FULL: &str = include_str!("data/services.full.json");

fn load(bytes: &[u8]) -> Result<Config, Vec<Problem>> {
    let defaults = Defaults {
        hostname: "box".into(),
        state_dir: "/var/lib/svc".into(),
        cache_dir: "/var/cache/svc".into(),
    };
    parse(bytes, &defaults)
}

/// Problems and warnings of a file, one to a line.
fn told(bytes: &[u8]) -> String {
    let (kind, problems) = match load(bytes) {
        Ok(config) => ("warning: ", config.warnings),
        Err(problems) => ("", problems),
    };
    let mut told = String::new();
    for problem in problems {
        let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let _ = writeln!(told, "=> {kind}{problem}{hint}");
    }
    told
}

/// One case of the table: `## name`, the file, and `=>` lines. `*` before the name: the file is the inside of a service.
struct Case<'t> {
    name: &'t str,
    file: String,
    expected: &'t str,
}

fn cases() -> Vec<Case<'static>> {
    let case = |case: &'static str| {
        let (name, rest) = case.split_once('\n').unwrap();
        let (file, expected) = rest.split_at(rest.find("\n=>").unwrap() + 1);
        let file = file.trim_end_matches('\n');
        let file = match name.strip_prefix("* ") {
            Some(_) => format!("{{\"services\": {{\"a\": {{\n{file}\n}}}}}}"),
            None => file.to_owned(),
        };
        Case { name, file, expected: expected.trim_end() }
    };
    TABLE.split("## ").skip(1).map(case).collect()
}

#[test]
fn every_broken_file_is_told_with_place_message_and_hint() {
    let cases = cases();
    assert!(cases.len() >= 70, "{}", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let told = told(case.file.as_bytes());
        if told.trim_end() != case.expected {
            let _ = writeln!(wrong, "## {}\n{}\n{told}", case.name, case.file);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn bytes_that_are_no_text_are_told_by_line_and_column() {
    assert_eq!(told(b"{\n \"h\xc3\xb6st\xff\": 1}"), "=> 2:7: byte 0xff is not UTF-8\n");
    assert_eq!(told(b"\x00{}"), "=> 1:1: expected value\n");
    assert_eq!(
        told(b"\xef\xbb\xbf{}"),
        "=> 1:1: the file begins with a byte order mark (save it as UTF-8 without one)\n"
    );
}

#[test]
fn white_space_that_is_not_of_json_is_refused() {
    for space in ["\u{a0}", "\u{b}", "\u{c}", "\u{2003}"] {
        assert!(load(format!("{{{space}}}").as_bytes()).is_err(), "{space:?}");
    }
}

#[test]
fn fault_38_a_hundred_thousand_brackets_do_not_exhaust_the_stack() {
    for opening in ["[", "{\"a\":", "[{\"\\\"[\":"] {
        let text = opening.repeat(100_000);
        assert!(told(text.as_bytes()).contains("nested deeper than 64 levels"), "{opening}");
    }
    assert!(!told(format!("\"{}\"", "[".repeat(1000)).as_bytes()).contains("nested"), "brackets in a text");
}

#[test]
fn a_million_problems_are_told_as_a_thousand_at_once() {
    let mut text = "{\"services\": {\"a\": {\"backup\": {\"volumes\": [".to_owned();
    text.push_str(&"\"-\",".repeat(1_000_000));
    text.push_str("\"-\"]}}}}");
    let started = Instant::now();
    let problems = load(text.as_bytes()).unwrap_err();
    assert_eq!(problems.len(), 1001);
    assert_eq!(problems.last().unwrap().message, "more than 1000 problems: the rest is not listed");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn no_message_repeats_a_secret_that_stands_in_the_wrong_place() {
    for field in
        ["passwordFile", "environmentFile", "repositoryFile", "mountPoint", "id", "repository", "limitUpload"]
    {
        for secret in
            ["hunter2", "rest:https://user:hunter2@host/", "https://a:hunter2@b", "/../hunter2", "hunter2\n"]
        {
            let text = serde_json::json!({"repositories": {"a": {field: secret}}}).to_string();
            let told = told(text.as_bytes());
            assert!(!told.is_empty() && !told.contains("hunter2"), "{text} gave {told}");
        }
    }
}

/// 500 names that no place may take: detours, options, control characters, separators, look-alikes.
fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        ".",
        "..",
        "../..",
        "/",
        "//",
        "-",
        "--",
        "-flag",
        "--password-command=x",
        " ",
        "\t",
        "\n",
        "\r\n",
    ]
    .map(str::to_owned)
    .to_vec();
    for (stem, odd) in ["a", "svc", "a.b", "0"].into_iter().flat_map(|stem| {
        (0..0x20).chain(0x7f..0xa1).filter_map(char::from_u32).map(move |odd| (stem, odd.to_string()))
    }) {
        names.push(format!("{stem}{odd}"));
        names.push(format!("{odd}{stem}"));
    }
    for odd in [
        "/", "\\", "$(x)", "`x`", ";", "|", "&", ">", "*", "?", "'", "\"", "{", "\u{202e}", "\u{200b}", "é",
        "a\u{301}",
    ] {
        names.extend([format!("a{odd}"), format!("{odd}a"), format!("a{odd}b"), format!("../{odd}")]);
    }
    names.push("a".repeat(1 << 16));
    names
}

#[test]
fn fault_40_five_hundred_hostile_names_are_refused_wherever_names_stand() {
    let names = hostile_names();
    assert!(names.len() >= 500, "{}", names.len());
    for name in names {
        let hostile = [
            serde_json::json!({"services": {&name: {}}}),
            serde_json::json!({"repositories": {&name: {}}}),
            serde_json::json!({"services": {"a": {"after": [name]}}}),
            serde_json::json!({"services": {"a": {"units": [name]}}}),
            serde_json::json!({"services": {"a": {"backup": {"volumes": [name]}}}}),
            serde_json::json!({"services": {"a": {"backup": {"repositories": [name]}}}}),
            serde_json::json!({"services": {"a": {"restore": {"composeUnit": name}}}}),
            serde_json::json!({"services": {"a": {"restore": {"target": format!("/{name}/../..")}}}}),
            serde_json::json!({"services": {"a": {"health": {"container": name}}}}),
            serde_json::json!({"services": {"a": {"compose": {"project": name}}}}),
            serde_json::json!({"timers": [{"name": "a", "unit": name}]}),
        ];
        for document in hostile {
            let told = told(document.to_string().as_bytes());
            assert!(told.starts_with("=> 1:"), "{:.200} gave {told}", document.to_string());
            assert!(!told.trim_end().contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
            assert!(told.len() < 2000, "{told:?}");
        }
    }
}

#[test]
fn fault_40_tags_and_patterns_cannot_carry_options_or_lines() {
    for tag in ["-x", "--tag", "a,b", "a\nb", "a\0", " a", "a ", "", "svc:a", "svc:", "\u{1b}[2J"] {
        let text = serde_json::json!({"services": {"a": {"backup": {"tags": [tag]}}}}).to_string();
        assert!(load(text.as_bytes()).is_err(), "{tag:?}");
    }
    for pattern in ["", "a\nb", "a\r", "\0"] {
        let text = serde_json::json!({"services": {"a": {"backup": {"exclude": [pattern]}}}}).to_string();
        assert!(load(text.as_bytes()).is_err(), "{pattern:?}");
    }
}

#[test]
fn a_chain_of_a_thousand_services_is_no_circle() {
    let service = |n: usize| match n {
        0 => "\"s0\": {}".to_owned(),
        n => format!("\"s{n}\": {{\"after\": [\"s{}\"]}}", n - 1),
    };
    let services: Vec<String> = (0..1000).map(service).collect();
    assert!(load(format!("{{\"services\": {{{}}}}}", services.join(",")).as_bytes()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = load(&bytes);
    }

    #[test]
    fn no_order_of_syntax_makes_it_panic(text in "[\\[\\]{}:,\"\\\\ \nu0d8a1e.-]{0,60}") {
        let _ = load(text.as_bytes());
    }

    #[test]
    fn no_change_to_a_good_file_makes_it_panic(
        at in 0..FULL.len(), cut in 0_usize..40, put in proptest::collection::vec(any::<u8>(), 0..6),
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        let end = bytes.len().min(at + cut);
        bytes.splice(at..end, put);
        if let Err(problems) = load(&bytes) {
            let lines = bytes.split(|&c| c == b'\n').count();
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|p| (1..=lines).contains(&p.line) && p.column >= 1));
            prop_assert!(problems.is_sorted_by_key(|p| (p.line, p.column)));
        }
    }

    #[test]
    fn every_beginning_of_a_good_file_is_refused(end in 0..FULL.trim_end().len()) {
        prop_assert!(load(&FULL.as_bytes()[..end]).is_err());
    }

    #[test]
    fn what_is_not_json_is_refused_as_such(text in "[\\[\\]{} 0,:\"\t]{0,8}") {
        if let Err(error) = serde_json::from_str::<serde_json::Value>(&text) {
            let told = told(text.as_bytes());
            prop_assert!(!told.contains("belongs here") && told.starts_with("=> 1:"), "{} gave {}", error, told);
        }
    }
}
