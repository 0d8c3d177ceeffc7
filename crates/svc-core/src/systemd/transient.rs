//! Units without a file, which live only as long as they run.

use zbus::Variant;

use crate::names::UnitName;

/// A unit without a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransientUnit {
    /// Its name; while it runs there is no second one, so that it is a mutex, too.
    pub name: UnitName,
    /// Its settings, by the names that D-Bus has for them: `TimeoutStopUSec`, not `TimeoutStopSec`.
    pub properties: Vec<(&'static str, Value)>,
    /// Made with it and not started, so that its settings can name them: what is to be done when it ends.
    pub auxiliary: Vec<TransientUnit>,
}

/// What a setting is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A word or a sentence.
    Text(String),
    /// A list of words.
    Texts(Vec<String>),
    /// Yes or no.
    Flag(bool),
    /// A number, or a time in microseconds.
    Number(u64),
    /// A small number that may be negative, such as `Nice`.
    Signed(i32),
    /// A command for `Exec…=`: the program by its absolute path, then its arguments. No shell sees it.
    Command(Vec<String>),
    /// Environment files; one that is missing is an error.
    EnvironmentFiles(Vec<String>),
}

impl Value {
    pub(super) fn variant(&self) -> Variant<'_> {
        match self {
            Self::Text(text) => Variant::from(text.as_str()),
            Self::Texts(texts) => Variant::from(texts.iter().map(String::as_str).collect::<Vec<&str>>()),
            Self::Flag(flag) => Variant::from(*flag),
            Self::Number(number) => Variant::from(*number),
            Self::Signed(number) => Variant::from(*number),
            Self::Command(argv) => {
                let program = argv.first().map(String::as_str).unwrap_or_default();
                // systemd would put variables in; `$$` is how it reads a plain `$`.
                let words: Vec<String> = argv.iter().map(|word| word.replace('$', "$$")).collect();
                Variant::from(vec![(program, words, false)])
            }
            Self::EnvironmentFiles(paths) => {
                Variant::from(paths.iter().map(|path| (path.as_str(), false)).collect::<Vec<_>>())
            }
        }
    }
}
