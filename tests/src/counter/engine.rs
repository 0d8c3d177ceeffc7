//! The counter before Docker.

use std::{
    io::{self, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    sync::Mutex,
    thread,
};

use anyhow::{Result, anyhow};

use super::connect;

/// Passes a connection on, and notes the first line of every request.
pub(super) fn relay(mut client: UnixStream, real: &Path, requests: &Mutex<Vec<String>>) -> Result<()> {
    let mut engine = connect(real)?;
    let (mut answers, mut reader) = (engine.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || {
        // A client that goes away in the middle of an answer is its own affair.
        let _ = io::copy(&mut answers, &mut reader);
        let _ = reader.shutdown(Shutdown::Both);
    });
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = client.read(&mut buffer).unwrap_or_default();
        if length == 0 {
            break;
        }
        said.extend_from_slice(&buffer[..length]);
        if engine.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = engine.shutdown(Shutdown::Both);
    let _ = back.join();
    let text = String::from_utf8_lossy(&said);
    let first_lines = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1")).map(str::to_owned);
    requests.lock().map_err(|_| anyhow!("a counter panicked"))?.extend(first_lines);
    Ok(())
}
