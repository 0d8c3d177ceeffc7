//! Answers that are read as they come: bollard's own readers hold a line however long it grows.

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bollard::errors::Error;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::HOST;
use hyper::{Request, Response};
use tokio::time::timeout;

use super::written::{Decoder, Happenings, LogQuery, Writing, read_happening};
use super::{DockerError, refusal, socket};
use crate::lines::Lines;

/// Of an error's text this much is read.
const LONGEST_ERROR: usize = 16 * 1024;

/// What a reader needs to know to tell of an error.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) socket: std::sync::Arc<Path>,
    pub(super) action: String,
    pub(super) container: Option<String>,
    /// How long the next piece may take; nothing: for ever.
    pub(super) patience: Option<Duration>,
}

type Pieces = BoxStream<'static, Result<Bytes, DockerError>>;

/// Asks for a path; the answer is good, its body has still to come.
pub(super) async fn get(socket: &Path, path: &str) -> Result<Incoming, Error> {
    let mut sender = socket::connect::<String>(socket).await?;
    let request = Request::get(path).header(HOST, "docker").body(String::new());
    let request = request.map_err(|err| Error::from(std::io::Error::other(err)))?;
    let answer = sender.send_request(request).await?;
    if answer.status().is_success() { Ok(answer.into_body()) } else { Err(refused(answer).await) }
}

async fn refused(answer: Response<Incoming>) -> Error {
    let status_code = answer.status().as_u16();
    let (mut body, mut text) = (answer.into_body(), Vec::new());
    while let Some(Ok(bytes)) = next(&mut body).await {
        text.extend_from_slice(&bytes);
        if text.len() > LONGEST_ERROR {
            break;
        }
    }
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let json: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let message = json.and_then(|json| json.get("message")?.as_str().map(str::to_owned)).unwrap_or(text);
    Error::DockerResponseServerError { status_code, message }
}

/// The next piece of a body; nothing at its end.
async fn next(body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await? {
            // Else trailers: the end comes next.
            Ok(frame) if frame.is_data() => return frame.into_data().ok().map(Ok),
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// The pieces of a body, in our words when they break off.
fn pieces(body: Incoming, errand: Errand) -> Pieces {
    let step = |(mut body, errand): (Incoming, Errand)| async move {
        let piece = match errand.patience {
            None => next(&mut body).await,
            Some(limit) => match timeout(limit, next(&mut body)).await {
                Ok(piece) => piece,
                Err(_) => return Some((Err(late(&errand, limit)), (body, errand))),
            },
        };
        let piece = piece?.map_err(|err| {
            let error = Error::HyperResponseError { err };
            refusal::read(&errand.socket, &errand.action, errand.container.as_deref(), error)
        });
        Some((piece, (body, errand)))
    };
    stream::unfold((body, errand), step).boxed()
}

pub(super) fn late(errand: &Errand, limit: Duration) -> DockerError {
    DockerError::Deadline { action: errand.action.clone(), seconds: limit.as_secs() }
}

/// The path of a container's log.
pub(super) fn log_path(container: &str, query: LogQuery) -> String {
    let since = query.since.map(|at| {
        let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond().max(0));
        format!("&since={seconds}.{nanos:09}")
    });
    let tail = query.tail.map_or_else(|| "all".to_owned(), |tail| tail.to_string());
    format!(
        "/containers/{container}/logs?stdout=true&stderr=true&timestamps=true&follow={}&tail={tail}{}",
        query.follow,
        since.unwrap_or_default()
    )
}

/// A log's entries. After an error nothing comes.
pub(super) fn writing(body: Incoming, errand: Errand) -> Writing {
    let action = errand.action.clone();
    let start = Some((pieces(body, errand), Decoder::default()));
    let step = move |state: Option<(Pieces, Decoder)>| {
        let action = action.clone();
        async move {
            let (mut pieces, mut decoder) = state?;
            let mut found = Vec::new();
            match pieces.next().await {
                Some(Ok(bytes)) => match decoder.push(&bytes, &mut found) {
                    Ok(()) => Some((Ok(found), Some((pieces, decoder)))),
                    Err(reason) => Some((Err(DockerError::Refused { action, reason }), None)),
                },
                Some(Err(error)) => Some((Err(error), None)),
                None => {
                    decoder.finish(&mut found);
                    Some((Ok(found), None))
                }
            }
        }
    };
    stream::unfold(start, step).boxed()
}

/// What happens to containers; lines without use are left out.
pub(super) fn happenings(body: Incoming, errand: Errand) -> Happenings {
    let mut lines = Lines::default();
    let read = move |piece: Result<Bytes, DockerError>| {
        let mut found = Vec::new();
        match piece {
            Ok(bytes) => lines.push(&bytes, &mut |line| found.extend(read_happening(line).map(Ok))),
            Err(error) => found.push(Err(error)),
        }
        stream::iter(found)
    };
    pieces(body, errand).flat_map(read).boxed()
}
