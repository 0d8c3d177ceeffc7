//! A run as JSON: one event a line, nothing else.

use std::io::{self, Write};

use jiff::Timestamp;
use svc_core::event::Event;
use svc_core::renderer::Renderer;

/// Writes each event as one line of JSON.
pub(crate) struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    pub(crate) const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Renderer for Json<W> {
    fn render(&mut self, event: &Event) -> io::Result<()> {
        // One write for a line: a reader never sees half of one.
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()
    }

    fn tick(&mut self, _now: Timestamp) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
