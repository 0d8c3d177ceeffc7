//! Looks at file systems that may not answer: a network mount whose server is gone blocks whoever looks at it, for ever.

use std::path::Path;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::code::Code;
use crate::failure::{Failure, PANICKED};

/// Why a look found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoAnswer {
    Late,
    Panicked,
}

/// Looks there, in a thread that may be left to its fate; nothing: no answer in that time, or a panic.
pub(crate) async fn within<T: Send + 'static>(
    limit: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    ask(limit, look).await.ok()
}

/// The same for who has to say what it means that this path does not answer.
pub(crate) async fn answered<T: Send + 'static>(
    limit: Duration,
    path: &Path,
    message: String,
    look: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match ask(limit, look).await {
        Ok(found) => found,
        Err(NoAnswer::Panicked) => Err(Failure::new(Code::Internal, message).because(PANICKED)),
        Err(NoAnswer::Late) => {
            let reason = format!("`{}` has not answered for {} s", path.display(), limit.as_secs());
            let hint = "is the server of the mount there?";
            Err(Failure::new(Code::Failed, message).because(reason).hint(hint))
        }
    }
}

async fn ask<T: Send + 'static>(
    limit: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoAnswer> {
    let ended = timeout(limit, spawn_blocking(look)).await.map_err(|_| NoAnswer::Late)?;
    ended.map_err(|_| NoAnswer::Panicked)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A look that ends when the other end is dropped: longer than anybody waits for it, but not for ever, else a broken
    /// limit would hang the tests.
    fn stuck() -> (mpsc::Sender<()>, impl FnOnce() -> bool) {
        let (end, wait) = mpsc::channel::<()>();
        (end, move || wait.recv_timeout(Duration::from_secs(10)).is_err())
    }

    #[tokio::test]
    async fn what_never_answers_is_given_up() {
        let (end, look) = stuck();
        assert_eq!(within(Duration::from_millis(1), look).await, None);
        drop(end);
        assert_eq!(within(Duration::from_mins(1), || 7).await, Some(7));
    }

    #[tokio::test]
    async fn a_look_that_panics_is_a_bug_and_no_path_that_does_not_answer() {
        let path = Path::new("/srv/media");
        let (end, look) = stuck();
        let late =
            answered(Duration::from_millis(1), path, "no".to_owned(), || Ok(look())).await.unwrap_err();
        drop(end);
        assert_eq!(
            (late.code, late.causes),
            (Code::Failed, vec!["`/srv/media` has not answered for 0 s".to_owned()])
        );
        let broken = || -> Result<(), Failure> { panic!("a look with a bug") };
        let bug = answered(Duration::from_mins(1), path, "no".to_owned(), broken).await.unwrap_err();
        assert_eq!((bug.code, bug.causes), (Code::Internal, vec![PANICKED.to_owned()]));
    }
}
