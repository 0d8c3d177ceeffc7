//! Looks at file systems that may not answer: a network mount whose server is gone blocks whoever looks at it, for ever.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Looks there, in a thread that may be left to its fate; nothing: no answer in that time.
pub(crate) async fn within<T: Send + 'static>(
    limit: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    timeout(limit, spawn_blocking(look)).await.ok().and_then(Result::ok)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_never_answers_is_given_up() {
        let (end, wait) = mpsc::channel::<()>();
        // Longer than anybody waits for it, but not for ever: else a broken limit would hang the tests.
        let look = move || wait.recv_timeout(Duration::from_secs(10)).is_err();
        assert_eq!(within(Duration::from_millis(1), look).await, None);
        drop(end);
        assert_eq!(within(Duration::from_mins(1), || 7).await, Some(7));
    }
}
