//! What the socket and the engine say when they do not do as asked, in our words.

use std::io::ErrorKind;
use std::path::Path;

use bollard::errors::Error;

use super::DockerError;

/// The error of something asked of the engine; about this container, if it was about one.
pub(super) fn read(socket: &Path, action: &str, container: Option<&str>, error: Error) -> DockerError {
    let socket = socket.display().to_string();
    let refused = |reason| DockerError::Refused { action: action.to_owned(), reason };
    match error {
        Error::IOError { err } if err.kind() == ErrorKind::PermissionDenied => DockerError::Denied { socket },
        Error::IOError { err } => DockerError::Unreachable { socket, reason: err.to_string() },
        Error::HyperResponseError { err } => {
            DockerError::Unreachable { socket, reason: format!("the answer broke off: {err}") }
        }
        Error::DockerResponseServerError { status_code: 404, message } => match container {
            Some(name) if is_about_container(&message) => no_container(name),
            _ => refused(message),
        },
        Error::DockerResponseServerError { message, status_code } if message.is_empty() => {
            refused(format!("status {status_code}"))
        }
        Error::DockerResponseServerError { message, .. } => refused(message),
        Error::JsonDataError { message, .. } => refused(format!("its answer cannot be read: {message}")),
        other => refused(other.to_string()),
    }
}

/// There is no such container.
pub(super) fn no_container(name: &str) -> DockerError {
    DockerError::NotFound { kind: "container", name: name.to_owned() }
}

/// A start also answers 404 when the container's *network* is gone. Docker's words, then Podman's.
fn is_about_container(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("no such container") || message.contains("no container with")
}

/// The API version the engine wants, from its refusal of ours: `client version 1.44 is too new. Maximum supported
/// API version is 1.41`, or `too old` and `Minimum`.
pub(super) fn wanted_version(error: &Error) -> Option<usize> {
    let Error::DockerResponseServerError { status_code: 400, message } = error else { return None };
    let (_, version) = message.split_once("supported API version is 1.")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError { status_code, message: message.to_owned() }
    }

    #[test]
    fn a_missing_network_is_not_a_missing_container() {
        let read = |message| read(Path::new("/s"), "start `x`", Some("x"), answer(404, message));
        assert_eq!(read("No such container: x"), no_container("x"));
        assert_eq!(read("no container with name or ID \"x\" found: no such container"), no_container("x"));
        assert!(matches!(read("network 1234 not found"), DockerError::Refused { .. }));
    }

    #[test]
    fn a_closed_socket_is_told_from_a_missing_one() {
        let read = |kind: ErrorKind| read(Path::new("/s"), "list", None, Error::IOError { err: kind.into() });
        assert_eq!(read(ErrorKind::PermissionDenied), DockerError::Denied { socket: "/s".to_owned() });
        for kind in [ErrorKind::NotFound, ErrorKind::ConnectionRefused, ErrorKind::TimedOut] {
            assert!(matches!(read(kind), DockerError::Unreachable { .. }), "{kind}");
        }
    }

    #[test]
    fn the_wanted_version_is_read_from_the_refusal() {
        let new = "client version 1.44 is too new. Maximum supported API version is 1.41";
        let old = "client version 1.44 is too old. Minimum supported API version is 1.52, please upgrade";
        assert_eq!(wanted_version(&answer(400, new)), Some(41));
        assert_eq!(wanted_version(&answer(400, old)), Some(52));
        assert_eq!(wanted_version(&answer(400, "bad parameter")), None);
        assert_eq!(wanted_version(&answer(500, new)), None);
    }
}
