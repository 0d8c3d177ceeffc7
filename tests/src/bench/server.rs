//! The service whose downtime is measured: it shows a file of its data to whoever asks. Runs in a container.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result};

/// Serves a file at an address until it is killed. Many may wait to be heard: a hundred or more, as with any server.
pub fn run(address: SocketAddr, file: &Path) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen at `{address}`"))?;
    serve(&listener, file);
    Ok(())
}

/// Whoever goes away before the answer is nobody's concern.
pub(super) fn serve(listener: &TcpListener, file: &Path) {
    for stream in listener.incoming().flatten() {
        let file: PathBuf = file.into();
        thread::spawn(move || answer(stream, &file));
    }
}

fn answer(mut stream: TcpStream, file: &Path) -> Result<()> {
    let request = BufReader::new(stream.try_clone()?);
    for line in request.lines() {
        if line?.is_empty() {
            break;
        }
    }
    match fs::read_to_string(file) {
        Ok(text) => write!(stream, "HTTP/1.0 200 OK\r\n\r\n{text}")?,
        Err(error) => write!(stream, "HTTP/1.0 500 Internal Server Error\r\n\r\n{error}")?,
    }
    Ok(())
}
