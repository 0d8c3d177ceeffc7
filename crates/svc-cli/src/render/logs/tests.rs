use svc_core::code::Code;
use svc_core::logs::LogStream;

use super::*;

const ESC: char = '\u{1b}';

fn source(label: &str, number: usize) -> Arc<Source> {
    Arc::new(Source { name: format!("paperless-{label}-1"), label: label.to_owned(), number })
}

fn told(source: &Arc<Source>, message: &str, priority: Option<u8>) -> Told {
    let at = "2026-11-20T09:00:00.123456789Z".parse().unwrap();
    let stream = if priority.is_some() { LogStream::Journal } else { LogStream::Stdout };
    Told::Line(LogLine { at, source: Arc::clone(source), stream, message: message.to_owned(), priority })
}

fn text(colour: bool, timestamps: bool) -> (LogText, [Arc<Source>; 2]) {
    let sources = [source("db", 0), source("broker", 1)];
    let look = Look { width: 80, colour, glyphs: colour };
    let mut text = LogText::new(&sources, look, false, timestamps);
    text.zone = TimeZone::UTC;
    (text, sources)
}

#[test]
fn each_line_has_its_source_in_a_column() {
    let (mut text, [db, broker]) = text(false, false);
    let late = source("scheduler", 2);
    let portion = [
        told(&db, "ready", None),
        told(&broker, "two\nlines", None),
        told(&db, "", None),
        told(&late, "came later", None),
        told(&db, "then", Some(3)),
    ];
    insta::assert_snapshot!(text.lines(&portion).0.replace(" \n", " ~\n"), @r"
    db     | ready
    broker | two
    broker | lines
    db     | ~
    scheduler | came later
    db        | then
    ");
}

#[test]
fn times_come_before_the_source_when_asked_for() {
    let (mut text, [db, _]) = text(false, true);
    let (out, _) = text.lines(&[told(&db, "ready", None)]);
    assert_eq!(out, "2026-11-20 09:00:00.123 db     | ready\n");
}

#[test]
fn sources_have_colours_and_errors_of_the_journal_too() {
    let (mut text, [db, broker]) = text(true, false);
    let portion = [told(&db, "a", None), told(&broker, "b", None), told(&db, "c", Some(3))];
    let (out, _) = text.lines(&portion);
    let heads: Vec<&str> = out.lines().map(|line| line.split('|').next().unwrap()).collect();
    assert_ne!(heads[0].split('d').next(), heads[1].split('b').next());
    assert_eq!(heads[0], heads[2]);
    assert!(out.lines().nth(2).unwrap().ends_with(&paint("c", Tone::Bad)), "{out}");
    let plain = self::text(false, false).0.lines(&portion).0;
    assert!(!plain.contains(ESC), "{plain}");
}

#[test]
fn no_message_steers_the_terminal_or_hides_its_text() {
    for (message, shown) in [
        (format!("{ESC}[31mred{ESC}[0m {ESC}[1;38:5:9mbold{ESC}[m"), "red bold"),
        (format!("a{ESC}[2Jb{ESC}]0;title\u{7}c"), r"a\u{1b}[2Jb\u{1b}]0;title\u{7}c"),
        (
            format!("{ESC}P hidden, if the terminal believes it"),
            r"\u{1b}P hidden, if the terminal believes it",
        ),
        (format!("cut {ESC}[31"), r"cut \u{1b}[31"),
        ("50%\r100%".to_owned(), r"50%\r100%"),
        ("a\tb\u{9b}c\u{202e}d".to_owned(), "a\tb\\u{9b}c\\u{202e}d"),
        ("größe 日本 ".to_owned(), "größe 日本 "),
    ] {
        assert_eq!(harmless(&message), shown, "{message:?}");
        let again = harmless(&harmless(&message));
        assert!(!again.chars().any(|c| c.is_control() && c != '\t'), "{again:?}");
    }
}

#[test]
fn json_has_the_text_as_it_was_written_and_nothing_else() {
    let (text, [db, _]) = text(true, true);
    let failure = Failure::new(Code::ManagerUnreachable, "Docker cannot be reached").hint("systemctl status");
    let portion =
        [told(&db, &format!("{ESC}[31mred\ntwo"), None), Told::Note(failure), told(&db, "started", Some(6))];
    let (out, notes) = text.json(&portion).unwrap();
    insta::assert_snapshot!(out, @r#"
    {"at":"2026-11-20T09:00:00.123456789Z","source":"paperless-db-1","stream":"stdout","message":"\u001b[31mred\ntwo"}
    {"at":"2026-11-20T09:00:00.123456789Z","source":"paperless-db-1","stream":"journal","message":"started","priority":6}
    "#);
    assert_eq!(notes, "warning: Docker cannot be reached\nhint: systemctl status\n");
}
