//! Asks a service all the time while something is done to it. This part runs in the box.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::stopwatch::{Words, time};

/// How often it asks.
const EVERY: Duration = Duration::from_millis(10);
/// Whoever waits longer than this for an answer has given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is done, and who is asked meanwhile.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Probe {
    pub(super) address: SocketAddr,
    pub(super) meanwhile: Words,
}

/// What became of the questions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answers {
    pub(super) asked: usize,
    pub(super) failed: usize,
    /// How long the slowest answer took.
    pub(super) longest: Duration,
}

impl Answers {
    /// Takes in those of another probe.
    pub(super) fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.failed += other.failed;
        self.longest = self.longest.max(other.longest);
    }
}

impl Probe {
    /// Asks until the command has ended.
    pub(super) fn run(&self) -> Result<Answers> {
        ask(self.address).context("nobody answers before it begins")?;
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let questions = scope.spawn(|| ask_until(self.address, &ended));
            let command = time(std::slice::from_ref(&self.meanwhile));
            ended.store(true, Ordering::SeqCst);
            let answers = questions.join().map_err(|_| anyhow!("the probe panicked"))?;
            command.map(|_| answers)
        })
    }
}

/// Each question has a thread of its own: one that waits for its answer must not keep the next from being asked.
fn ask_until(address: SocketAddr, ended: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    thread::scope(|scope| {
        let mut asked = Vec::new();
        let mut due = Instant::now();
        while !ended.load(Ordering::SeqCst) {
            asked.push(scope.spawn(move || ask(address)));
            due += EVERY;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        for question in asked {
            answers.asked += 1;
            match question.join() {
                Ok(Ok(took)) => answers.longest = answers.longest.max(took),
                Ok(Err(_)) | Err(_) => answers.failed += 1,
            }
        }
    });
    answers
}

/// One request, from the connection to the end of the answer.
fn ask(address: SocketAddr) -> Result<Duration> {
    let began = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let took = began.elapsed();
    let status = answer.split(' ').nth(1);
    if status != Some("200") {
        bail!("the answer is {status:?}");
    }
    if took > PATIENCE {
        bail!("no answer within {PATIENCE:?}");
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, path::Path};

    use super::*;
    use crate::bench::server::serve;

    fn server(file: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || serve(&listener, Path::new(file)));
        address
    }

    #[test]
    fn a_service_that_answers_is_asked_all_the_time() {
        let meanwhile = ["sleep", "0.3"].map(str::to_owned).into();
        let answers = Probe { address: server("/etc/hostname"), meanwhile }.run().unwrap();
        assert_eq!(answers.failed, 0);
        assert!(answers.asked >= 5, "{answers:?}");
        assert!(answers.longest > Duration::ZERO);
    }

    #[test]
    fn an_error_is_a_failure_and_so_is_no_answer() {
        assert!(ask(server("/nowhere")).is_err());
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(ask(closed).is_err());
    }
}
