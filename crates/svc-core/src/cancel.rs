//! A request to end a run in good order, and who made it.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::code::Code;

/// Cancels a run; cheap to clone. The first request counts; a second one hurries it.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    hurry: CancellationToken,
    code: Arc<OnceLock<Code>>,
}

impl Cancel {
    /// Asks the run to end; its exit code will be this one unless something worse happened.
    pub fn request(&self, code: Code) {
        if self.code.set(code).is_err() {
            self.hurry.cancel();
        }
        self.token.cancel();
    }

    /// What it ends with, if it was asked to.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.code.get().copied()
    }

    /// Ends when somebody asked twice: nothing is waited for any more but that what ran before runs again.
    pub async fn hurried(&self) {
        self.hurry.cancelled().await;
    }

    /// The token that long work heeds.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.token
    }
}
