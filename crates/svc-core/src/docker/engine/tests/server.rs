//! An engine of our own: a Unix socket that counts requests and answers as told.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// What the engine does with a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// This status and JSON.
    Json(u16, String),
    /// The same in chunks of a few bytes.
    Chunked(String),
    /// This status without a body.
    Empty(u16),
    /// Nothing, for ever.
    Hang,
    /// The connection is closed in the middle of the answer.
    BreakOff,
}

type Handler = dyn Fn(&str, usize) -> Answer + Send + Sync;

/// The engine and what it was asked.
pub(super) struct Server {
    dir: TempDir,
    requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Answers as `handler` says for `METHOD /path` (without the version) and the number of the request, from 1.
    pub(super) fn new(handler: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("docker.sock")).unwrap();
        let (requests, handler): (Arc<Mutex<Vec<String>>>, Arc<Handler>) =
            (Arc::default(), Arc::new(handler));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&handler)));
            }
        });
        Self { dir, requests, task }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// The requests so far, with the version spoken.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: UnixStream, requests: Arc<Mutex<Vec<String>>>, handler: Arc<Handler>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    // Docker's own server refuses a request without it.
    assert!(head.to_lowercase().contains("\r\nhost: "), "{head}");
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let number = {
        let mut requests = requests.lock().unwrap();
        requests.push(format!("{method} {target}"));
        requests.len()
    };
    let path = target.splitn(3, '/').nth(2).unwrap();
    let bytes = match handler(&format!("{method} /{path}"), number) {
        Answer::Json(status, body) => whole(status, &body),
        Answer::Chunked(body) => chunked(&body),
        Answer::Empty(status) => format!("HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n"),
        Answer::Hang => return std::future::pending().await,
        Answer::BreakOff => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{".to_owned(),
    };
    // A client that has given up is no fault of the test.
    let _ = stream.write_all(bytes.as_bytes()).await;
}

fn whole(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

fn chunked(body: &str) -> String {
    let mut text =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for chunk in body.as_bytes().chunks(7) {
        write!(text, "{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)).unwrap();
    }
    text + "0\r\n\r\n"
}
