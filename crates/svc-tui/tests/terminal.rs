//! The dashboard on a terminal of its own: drawn, left, hung up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use svc_core::overview::Overview;

/// Set in the process that shows the dashboard: this file's own binary once more.
const CHILD: &str = "SVC_TUI_TEST_CHILD";
const DEADLINE: Duration = Duration::from_secs(10);

/// Not a test of its own: what the others run.
#[test]
fn the_dashboard_itself() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let overview: Overview = serde_json::from_str(include_str!("data/overview.json")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (sender, overviews) = tokio::sync::mpsc::channel(1);
        sender.send(overview).await.unwrap();
        svc_tui::run(overviews).await.unwrap();
        drop(sender);
    });
    std::process::exit(0);
}

struct Shown {
    child: Child,
    /// The other end; nothing: it is gone.
    terminal: Option<File>,
    seen: String,
}

impl Shown {
    fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_col: 100, ws_row: 30, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = || Stdio::from(File::options().read(true).write(true).open(&path).unwrap());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_dashboard_itself", "--nocapture"])
            .env(CHILD, "1")
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        fcntl_setfl(&master, OFlags::NONBLOCK).unwrap();
        Self { child, terminal: Some(File::from(master)), seen: String::new() }
    }

    fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + DEADLINE;
        let mut bytes = [0; 4096];
        while !self.seen.contains(text) {
            assert!(Instant::now() < end, "`{text}` was not drawn: {:?}", self.seen);
            match self.terminal.as_mut().unwrap().read(&mut bytes) {
                Ok(count) => self.seen.push_str(&String::from_utf8_lossy(&bytes[..count])),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.terminal.as_mut().unwrap().write_all(keys).unwrap();
    }

    /// How long it takes from now on until it has ended.
    fn ended_after(&mut self) -> Duration {
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < DEADLINE, "it did not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        began.elapsed()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_is_drawn_and_q_gives_the_terminal_back() {
    let mut shown = Shown::new();
    shown.wait_for("paperless");
    assert!(shown.seen.contains("\x1b[?1049h"), "on the alternate screen");
    shown.press(b"q");
    shown.wait_for("\x1b[?1049l");
    shown.wait_for("\x1b[?25h");
    shown.ended_after();
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let mut shown = Shown::new();
    shown.wait_for("paperless");
    kill_process(Pid::from_child(&shown.child), Signal::TERM).unwrap();
    shown.wait_for("\x1b[?1049l");
    shown.ended_after();
}

#[test]
fn it_leaves_within_half_a_second_when_the_terminal_is_gone() {
    let mut shown = Shown::new();
    shown.wait_for("paperless");
    // The picture is finished: nothing is written for a while that could fail.
    std::thread::sleep(Duration::from_millis(200));
    // No SIGHUP comes: this is nobody's controlling terminal.
    shown.terminal = None;
    let took = shown.ended_after();
    assert!(took < Duration::from_millis(500), "it took {took:?}");
    assert!(shown.child.wait().unwrap().success(), "and without a complaint");
}
