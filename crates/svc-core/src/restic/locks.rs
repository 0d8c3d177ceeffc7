//! The locks in a repository: read without taking one, and removed as restic removes them.

use serde::Deserialize as _;
use tokio_util::sync::CancellationToken;

use super::program::{Invocation, ResticProgram, odd};
use super::{Lock, ResticError, ResticFailure, Verb};
use crate::names::RepositoryName;

impl ResticProgram {
    pub(super) async fn read_locks(&self, repository: &RepositoryName) -> Result<Vec<Lock>, ResticError> {
        self.check_mount(repository).await?;
        let output = self.unlocked(Verb::List, repository, &["locks"]).await?;
        let mut locks = Vec::new();
        for id in String::from_utf8_lossy(&output).lines().filter(|line| is_id(line)) {
            match self.unlocked(Verb::Cat, repository, &["lock", id]).await {
                Ok(text) => locks.push(parse(repository, &text)?),
                // It was let go in between.
                Err(ResticError::Failed { kind: ResticFailure::Code(_), .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(locks)
    }

    async fn unlocked(
        &self,
        verb: Verb,
        repository: &RepositoryName,
        words: &[&str],
    ) -> Result<Vec<u8>, ResticError> {
        let arguments = words.iter().copied().chain(["--no-lock"]).map(Into::into).collect();
        let invocation = Invocation::of(verb, repository, arguments);
        let mut output = Vec::new();
        self.succeed(invocation, &mut output, &CancellationToken::new()).await?;
        Ok(output)
    }

    pub(super) async fn remove_stale_locks(&self, repository: &RepositoryName) -> Result<(), ResticError> {
        self.check_mount(repository).await?;
        // Never `--remove-all`: that takes the locks of those who are at work, too.
        let invocation = Invocation::of(Verb::Unlock, repository, Vec::new());
        self.succeed(invocation, &mut Vec::new(), &CancellationToken::new()).await.map(drop)
    }
}

fn is_id(line: &str) -> bool {
    line.len() == 64 && line.bytes().all(|c| c.is_ascii_hexdigit())
}

/// The first JSON value in what was written.
fn parse(repository: &RepositoryName, text: &[u8]) -> Result<Lock, ResticError> {
    let mut values = serde_json::Deserializer::from_slice(text);
    Lock::deserialize(&mut values).map_err(|error| odd(Verb::Cat, repository, format!("no lock ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_says_who_holds_it_and_since_when() {
        let local = "local".parse().unwrap();
        let text = br#"{
            "time": "2026-11-20T12:57:27.091513339Z", "exclusive": true, "hostname": "vm", "username": "root", "pid": 7975
        }"#;
        let lock = parse(&local, text).unwrap();
        assert_eq!((lock.host.as_str(), lock.pid, lock.exclusive), ("vm", 7975, true));
        assert!(parse(&local, b"junk").is_err());
    }
}
