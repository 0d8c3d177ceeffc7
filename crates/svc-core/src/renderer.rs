//! What shows a run: plain lines, bars, JSON or the dashboard, all on one trait.

use std::io;

use jiff::Timestamp;

use crate::event::Event;

/// Shows a run, in a thread of its own. One that fails is dropped; the run goes on.
pub trait Renderer: Send {
    /// Takes an event in.
    ///
    /// # Errors
    /// When nobody can see it any more: a closed pipe, a dead terminal.
    fn render(&mut self, event: &Event) -> io::Result<()>;

    /// Draws what moves with time; called ten times a second.
    ///
    /// # Errors
    /// As for `render`.
    fn tick(&mut self, now: Timestamp) -> io::Result<()>;

    /// Shows the end and gives the terminal back.
    ///
    /// # Errors
    /// As for `render`.
    fn finish(&mut self) -> io::Result<()>;

    /// Whether it draws anything at a tick.
    fn is_live(&self) -> bool {
        false
    }
}
