//! The terminal: taken and given back, listened to, and noticed when it goes away.

use std::io::{self, IsTerminal};

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use rustix::termios::tcgetwinsize;
use tokio::sync::mpsc;

/// The terminal while it is ours; given back however the screen ends, a panic included.
pub(crate) struct Screen(Option<DefaultTerminal>);

impl Screen {
    pub(crate) fn open() -> io::Result<Self> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "stdin and stdout are no terminal"));
        }
        ratatui::try_init().map(|terminal| Self(Some(terminal)))
    }

    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |terminal| terminal.draw(draw).map(drop))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let Some(mut terminal) = self.0.take() else { return };
        if terminal.show_cursor().is_err() {
            // On its own end it would try once more, complain on stderr, and panic because that is gone too.
            std::mem::forget(terminal);
        }
        // Where there is no terminal any more there is nothing to give back.
        let _ = ratatui::try_restore();
    }
}

/// Whether somebody can still see the screen. A terminal that was hung up answers nothing any more.
pub(crate) fn is_there() -> bool {
    tcgetwinsize(io::stdout()).is_ok()
}

/// Keys and sizes, read by a thread of its own: crossterm reads a hung-up terminal in a busy loop that never ends, and
/// that must not be the loop that has to leave.
pub(crate) fn listen() -> io::Result<mpsc::Receiver<Event>> {
    let (sender, receiver) = mpsc::channel(64);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    std::thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(move || runtime.block_on(forward(sender)))?;
    Ok(receiver)
}

async fn forward(sender: mpsc::Sender<Event>) {
    let mut events = EventStream::new();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => if sender.send(event).await.is_err() { return },
                Some(Err(_)) | None => return,
            },
            () = sender.closed() => return,
        }
    }
}
