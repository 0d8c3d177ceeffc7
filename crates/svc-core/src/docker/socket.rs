//! The way to the engine: one HTTP connection per request over its Unix socket.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{BollardRequest, ClientVersion, Docker};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long opening the socket may take.
const CONNECT: Duration = Duration::from_secs(2);

/// A client of the engine at this socket that speaks version 1.`minor` and waits `limit` for an answer to begin.
///
/// bollard's own Unix transport tells neither a closed socket from a missing one nor has it a deadline for opening it.
pub(super) fn client(socket: &Arc<Path>, minor: usize, limit: Duration) -> Result<Docker, Error> {
    let socket = Arc::clone(socket);
    let transport = move |request| {
        let socket = Arc::clone(&socket);
        async move { send(&socket, minor, request).await }
    };
    let version = ClientVersion { major_version: 1, minor_version: minor };
    // Whole seconds only, so one more: the caller's own deadline comes first.
    Docker::connect_with_custom_transport(transport, Some("http://docker"), limit.as_secs() + 1, &version)
}

async fn send(socket: &Path, minor: usize, mut request: BollardRequest) -> Result<Response<Incoming>, Error> {
    let mut sender = connect(socket).await?;
    *request.uri_mut() = target(request.uri(), minor)?;
    request.headers_mut().insert(HOST, HeaderValue::from_static("docker"));
    Ok(sender.send_request(request).await?)
}

/// Opens a connection for one request.
pub(super) async fn connect<B>(socket: &Path) -> Result<http1::SendRequest<B>, Error>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let late =
        |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {} s", CONNECT.as_secs()));
    let stream = timeout(CONNECT, UnixStream::connect(socket)).await.map_err(late)??;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the answer, or when its reader is dropped.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// The path alone, as proxies in front of the engine want it, and with the version, which bollard 0.21 loses on the
/// way: an engine may stop answering requests without one.
fn target(uri: &Uri, minor: usize) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    if path.starts_with("/v1.") { Ok(path.parse()?) } else { Ok(format!("/v1.{minor}{path}").parse()?) }
}
