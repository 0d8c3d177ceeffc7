//! What containers write, and when they come and go: the engine's two endless answers, in our words.

mod decoder;
mod happening;

use futures_util::stream::BoxStream;
use jiff::Timestamp;

use super::{ComposeLabels, DockerError};

pub(super) use decoder::Decoder;
pub(super) use happening::{FILTERS, read as read_happening};

/// What a container has written, in portions and in the order of the engine's log.
pub type Writing = BoxStream<'static, Result<Vec<Written>, DockerError>>;

/// Starts and removals of containers as they happen.
pub type Happenings = BoxStream<'static, Result<Happening, DockerError>>;

/// Which part of a container's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogQuery {
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// Nothing written before this moment.
    pub since: Option<Timestamp>,
    /// The last so many entries; nothing: all.
    pub tail: Option<usize>,
}

/// One entry of a container's log. The engine cuts long lines into several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// When the engine read it.
    pub at: Timestamp,
    /// Where the container wrote it.
    pub stream: OutputStream,
    /// The text, without the line's end; what is not UTF-8 may be half a character.
    pub bytes: Vec<u8>,
    /// Whether the line ends here; else the next entry of this stream goes on with it.
    pub ends: bool,
}

/// One of a container's two outputs; all that a terminal shows is `Stdout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Something happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// What.
    pub kind: HappeningKind,
    /// The container's full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its place in a compose project.
    pub compose: Option<ComposeLabels>,
}

/// What happened to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HappeningKind {
    /// It was started, also by its restart policy.
    Started,
    /// It was removed.
    Removed,
}
