//! Stands between `svc` and the sockets of a box, and counts what it costs: requests to Docker, waits for the bus.

mod bus;
mod engine;

use std::{
    fs, io,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{Machine, enter::Output};

/// Where the counted sockets are in the box.
const DIRECTORY: &str = "/run/counted";

/// How long there is nothing to do before it is looked again.
const PAUSE: Duration = Duration::from_millis(1);

/// What a command cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Its requests to Docker: method and target.
    pub requests: Vec<String>,
    /// How often it stood still until the bus had answered all that it had asked so far.
    pub waits: usize,
}

/// Runs a command in a box, with its Docker and its system bus behind counters.
pub fn cost(machine: &Machine, line: &str) -> Result<(Cost, Output)> {
    machine.check(&format!("rm -rf {DIRECTORY} && mkdir -p {DIRECTORY}"))?;
    let directory = machine.host_path(DIRECTORY)?;
    let real_bus = machine.host_path("/run/dbus/system_bus_socket")?;
    let (requests, waits) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (noted, counted) = (Arc::clone(&requests), Arc::clone(&waits));
    let real_engine = machine.docker_socket()?;
    let engine =
        Gate::open(directory.join("docker.sock"), move |client| engine::relay(client, &real_engine, &noted))?;
    let bus = Gate::open(directory.join("bus"), move |client| bus::relay(client, &real_bus, &counted))?;
    let output = machine
        .command(line)?
        .env("DOCKER_HOST", format!("unix://{DIRECTORY}/docker.sock"))
        .env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={DIRECTORY}/bus"))
        .run();
    engine.close()?;
    bus.close()?;
    let requests = requests.lock().map_err(|_| anyhow::anyhow!("a counter panicked"))?.clone();
    Ok((Cost { requests, waits: waits.load(Ordering::SeqCst) }, output?))
}

/// A listening socket, and the thread that serves one connection after the other on threads of their own.
struct Gate {
    path: PathBuf,
    closed: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Gate {
    fn open(path: PathBuf, serve: impl Fn(UnixStream) -> Result<()> + Send + Sync + 'static) -> Result<Self> {
        let listener =
            UnixListener::bind(&path).with_context(|| format!("cannot bind `{}`", path.display()))?;
        let closed = Arc::new(AtomicBool::new(false));
        let is_closed = Arc::clone(&closed);
        let thread = thread::spawn(move || listen(&listener, &is_closed, &Arc::new(serve)));
        Ok(Self { path, closed, thread })
    }

    /// Waits until all connections have ended; what went wrong on one of them is the error.
    fn close(self) -> Result<()> {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes up the thread that waits for the next one.
        UnixStream::connect(&self.path)?;
        let Ok(ended) = self.thread.join() else { bail!("a counter panicked") };
        fs::remove_file(&self.path)?;
        ended
    }
}

fn listen<S>(listener: &UnixListener, closed: &AtomicBool, serve: &Arc<S>) -> Result<()>
where
    S: Fn(UnixStream) -> Result<()> + Send + Sync + 'static,
{
    let mut served = Vec::new();
    loop {
        let (client, _) = listener.accept()?;
        if closed.load(Ordering::SeqCst) {
            break;
        }
        let serve = Arc::clone(serve);
        served.push(thread::spawn(move || serve(client)));
    }
    for thread in served {
        let Ok(ended) = thread.join() else { bail!("a counter panicked") };
        ended?;
    }
    Ok(())
}

fn connect(path: &Path) -> Result<UnixStream> {
    UnixStream::connect(path).with_context(|| format!("cannot connect to `{}`", path.display()))
}

/// What can be read now; nothing: the other end is closed. An empty piece: there is nothing yet.
fn available(stream: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    use io::Read as _;
    stream.set_nonblocking(true)?;
    let mut buffer = vec![0; 64 * 1024];
    let result = match stream.read(&mut buffer) {
        Ok(0) => Ok(None),
        Ok(length) => {
            buffer.truncate(length);
            Ok(Some(buffer))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(Vec::new())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
        Err(error) => Err(error),
    };
    stream.set_nonblocking(false)?;
    result
}
