//! Every key, once: what it does, and how help and the hint line name it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// To the next service.
    Down,
    /// To the one before.
    Up,
    /// A screenful down.
    PageDown,
    /// A screenful up.
    PageUp,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// Type a filter.
    Filter,
    /// Show all of the selected service.
    Open,
    /// Close what is open, drop the filter.
    Back,
    /// Show the keys.
    Help,
    /// Leave.
    Quit,
}

/// Some keys with one meaning.
pub(crate) struct Binding {
    keys: &'static [(KeyCode, KeyModifiers)],
    /// What they do.
    pub(crate) action: Action,
    /// How they are written.
    pub(crate) written: &'static str,
    /// What help says.
    pub(crate) help: &'static str,
    /// What the hint line says; nothing: it is not there.
    pub(crate) hint: Option<&'static str>,
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

/// The table of keys.
pub(crate) const KEYS: [Binding; 11] = [
    Binding {
        keys: &[(KeyCode::Char('j'), NONE), (KeyCode::Down, NONE)],
        action: Action::Down,
        written: "j ↓",
        help: "next service",
        hint: Some("down"),
    },
    Binding {
        keys: &[(KeyCode::Char('k'), NONE), (KeyCode::Up, NONE)],
        action: Action::Up,
        written: "k ↑",
        help: "service before",
        hint: Some("up"),
    },
    Binding {
        keys: &[(KeyCode::PageDown, NONE), (KeyCode::Char('d'), CTRL)],
        action: Action::PageDown,
        written: "ctrl-d",
        help: "a screenful down",
        hint: None,
    },
    Binding {
        keys: &[(KeyCode::PageUp, NONE), (KeyCode::Char('u'), CTRL)],
        action: Action::PageUp,
        written: "ctrl-u",
        help: "a screenful up",
        hint: None,
    },
    Binding {
        keys: &[(KeyCode::Char('g'), NONE), (KeyCode::Home, NONE)],
        action: Action::First,
        written: "g",
        help: "first service",
        hint: None,
    },
    Binding {
        keys: &[(KeyCode::Char('G'), NONE), (KeyCode::End, NONE)],
        action: Action::Last,
        written: "G",
        help: "last service",
        hint: None,
    },
    Binding {
        keys: &[(KeyCode::Char('/'), NONE)],
        action: Action::Filter,
        written: "/",
        help: "filter by name, description or state",
        hint: Some("filter"),
    },
    Binding {
        keys: &[(KeyCode::Enter, NONE), (KeyCode::Char('l'), NONE), (KeyCode::Right, NONE)],
        action: Action::Open,
        written: "enter",
        help: "all about the service, on a narrow terminal",
        hint: None,
    },
    Binding {
        keys: &[(KeyCode::Esc, NONE), (KeyCode::Char('h'), NONE), (KeyCode::Left, NONE)],
        action: Action::Back,
        written: "esc",
        help: "back; without a filter again",
        hint: None,
    },
    Binding {
        keys: &[(KeyCode::Char('?'), NONE), (KeyCode::F(1), NONE)],
        action: Action::Help,
        written: "?",
        help: "these keys",
        hint: Some("help"),
    },
    Binding {
        keys: &[(KeyCode::Char('q'), NONE), (KeyCode::Char('c'), CTRL)],
        action: Action::Quit,
        written: "q",
        help: "leave",
        hint: Some("quit"),
    },
];

/// What a key asks for, if anything.
pub(crate) fn action(key: KeyEvent) -> Option<Action> {
    // Shift is part of the character already.
    let pressed = (key.code, key.modifiers.difference(KeyModifiers::SHIFT));
    KEYS.iter().find(|binding| binding.keys.contains(&pressed)).map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_two_meanings() {
        let mut keys: Vec<_> = KEYS.iter().flat_map(|binding| binding.keys).collect();
        let all = keys.len();
        keys.sort_by_key(|key| format!("{key:?}"));
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    #[test]
    fn shifted_letters_are_found_and_foreign_modifiers_are_not() {
        let press = |code, modifiers| action(KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::Last));
        assert_eq!(press(KeyCode::Char('c'), CTRL), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('q'), KeyModifiers::ALT), None);
    }
}
