use crate::render::{RenderChoice, Shown};

const TERMINAL: RenderChoice = RenderChoice {
    json: false,
    plain: false,
    stdout_is_tty: true,
    stdout_is_file: false,
    stderr_is_tty: true,
    term_dumb: false,
    no_color: false,
    width: 80,
};

#[test]
fn bars_are_for_terminals_and_json_beats_all() {
    assert_eq!(TERMINAL.shown(), Shown::Pretty);
    assert_eq!(RenderChoice { json: true, plain: true, ..TERMINAL }.shown(), Shown::Json);
    assert_eq!(RenderChoice { plain: true, ..TERMINAL }.shown(), Shown::Plain);
    assert_eq!(RenderChoice { term_dumb: true, ..TERMINAL }.shown(), Shown::Plain);
    assert_eq!(RenderChoice { stderr_is_tty: false, ..TERMINAL }.shown(), Shown::Plain);
}

#[test]
fn a_file_gets_lines_while_a_person_still_sees_bars() {
    let file = RenderChoice { stdout_is_tty: false, stdout_is_file: true, ..TERMINAL };
    assert_eq!(file.shown(), Shown::PlainWithBars);
    assert!(!file.look().colour && !file.look().glyphs && file.colour_on_stderr());
}

#[test]
fn a_pipe_that_may_end_on_the_same_terminal_has_no_bars_beside_it() {
    assert_eq!(RenderChoice { stdout_is_tty: false, ..TERMINAL }.shown(), Shown::Plain);
}

#[test]
fn no_color_keeps_the_glyphs_and_takes_the_colours() {
    let look = RenderChoice { no_color: true, ..TERMINAL }.look();
    assert!(look.glyphs && !look.colour);
    assert!(!RenderChoice { no_color: true, ..TERMINAL }.colour_on_stderr());
    assert!(!RenderChoice { term_dumb: true, ..TERMINAL }.look().glyphs);
}
