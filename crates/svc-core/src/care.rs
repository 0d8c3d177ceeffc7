//! Looking after a whole repository: checks that read every byte in turn, removal of what nothing needs, locks, figures.
//! Each on its own, not in a run: no service is touched. What is found goes into the repository's record.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::code::Code;
use crate::config::Config;
use crate::failure::Failure;
use crate::holder::{self, Patience, Verdict};
use crate::life::life;
use crate::names::RepositoryName;
use crate::observe::reach;
use crate::outside::Outside;
use crate::records::{Checked, Process, RepositoryRecord};
use crate::restic::{ResticError, Started, Stats, Subset, is_locked};
use crate::scope::Scope;

/// Which data a check reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// None: only whether everything is there that should be.
    Nothing,
    /// The part whose turn it is.
    Auto,
    /// This part.
    Part(Subset),
    /// All of it.
    Everything,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// Which repository.
    pub repository: RepositoryName,
    /// What was read; nothing: no data.
    pub subset: Option<Subset>,
    /// How it ended.
    pub code: Code,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Until when everything in it has been read back and was good.
    #[schemars(with = "Option<String>")]
    pub proven_until: Option<Timestamp>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// How a removal of unneeded data ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PruneReport {
    /// Which repository.
    pub repository: RepositoryName,
    /// restic's own figures.
    pub said: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What became of the locks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnlockReport {
    /// Which repository.
    pub repository: RepositoryName,
    /// How many were removed.
    pub removed: usize,
}

/// How much lies in a repository, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatsReport {
    /// Which repository.
    pub repository: RepositoryName,
    /// The figures.
    #[serde(flatten)]
    pub stats: Stats,
    /// What svc's checks have found so far.
    pub record: RepositoryRecord,
}

/// What all of this needs.
pub struct Care<'a> {
    /// What is configured.
    pub config: &'a Config,
    /// Where records are.
    pub scope: &'a Scope,
    /// restic.
    pub outside: &'a Outside,
    /// Which repository.
    pub repository: &'a RepositoryName,
    /// How long others may hold it.
    pub wait: Duration,
    /// Ends restic in good order.
    pub cancel: CancellationToken,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl Care<'_> {
    /// Looks whether the repository is sound, and marks it if it is not.
    ///
    /// # Errors
    /// When it could not be looked, or the result cannot be kept. Damage is part of the report.
    pub async fn check(&self, reading: Reading) -> Result<CheckReport, Failure> {
        reach(self.config, self.outside, self.repository).await?;
        let of = self.config.repositories.get(self.repository).map_or(1, |one| one.check_subsets);
        let subset = match reading {
            Reading::Nothing => None,
            Reading::Auto => Some(self.load().next(of, (self.now)())),
            Reading::Part(subset) => Some(subset),
            Reading::Everything => Some(Subset { part: 1, of: 1 }),
        };
        let (at, began) = ((self.now)(), Instant::now());
        let restic = &self.outside.restic;
        let result = self.when_free(|| Ok(()), || restic.check(self.repository, subset, &self.cancel)).await;
        let failure = result.err();
        let code = failure.as_ref().map_or(Code::Ok, |failure| failure.code);
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let said = failure.as_ref().map(|failure| failure.causes.join("\n")).unwrap_or_default();
        let record = self.update(|record| record.note(Checked { at, subset, code, took_ms }, &said, of))?;
        let (repository, proven_until) = (self.repository.clone(), record.proven_until((self.now)()));
        Ok(CheckReport { repository, subset, code, took_ms, proven_until, failure })
    }

    /// Removes what no snapshot needs; refuses in a repository that is marked.
    ///
    /// # Errors
    /// When restic fails, or the repository was found damaged, be it while others held it.
    pub async fn prune(&self) -> Result<PruneReport, Failure> {
        let fit = || self.load().hold(self.repository).map_or(Ok(()), Err);
        reach(self.config, self.outside, self.repository).await?;
        let began = Instant::now();
        let restic = &self.outside.restic;
        let said = self.when_free(fit, || restic.prune(self.repository, &self.cancel)).await?;
        self.update(|record| record.last_prune = Some((self.now)()))?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(PruneReport { repository: self.repository.clone(), said, took_ms })
    }

    /// Removes locks, if every one of them is proven to be dead.
    ///
    /// # Errors
    /// When one is not: 11, with who holds it.
    pub async fn unlock(&self, is_trial: bool) -> Result<UnlockReport, Failure> {
        let failed = |error: ResticError| Failure::from(&error);
        reach(self.config, self.outside, self.repository).await?;
        let locks = self.outside.restic.locks(self.repository).await.map_err(failed)?;
        let own = holder::own(self.scope, self.repository);
        match holder::judge(&locks, &holder::host(), &own, (self.now)(), life) {
            Verdict::Free => Ok(UnlockReport { repository: self.repository.clone(), removed: 0 }),
            Verdict::Busy(who) | Verdict::Held(who) => {
                let failure = holder::locked(self.repository, &who);
                Err(failure.hint(format!("svc repo unlock {}   # again when it is gone", self.repository)))
            }
            Verdict::Stale => {
                if !is_trial {
                    self.outside.restic.unlock(self.repository).await.map_err(failed)?;
                }
                Ok(UnlockReport { repository: self.repository.clone(), removed: locks.len() })
            }
        }
    }

    /// How much lies there.
    ///
    /// # Errors
    /// When restic fails.
    pub async fn stats(&self) -> Result<StatsReport, Failure> {
        reach(self.config, self.outside, self.repository).await?;
        let stats =
            self.outside.restic.stats(self.repository).await.map_err(|error| Failure::from(&error))?;
        Ok(StatsReport { repository: self.repository.clone(), stats, record: self.load() })
    }

    /// Does something that needs the repository alone; waits for others, and notes restic's process: should it die, that
    /// proves whose lock it leaves. `fit` is asked before each try: the wait may be long.
    async fn when_free<T, F>(
        &self,
        fit: impl Fn() -> Result<(), Failure>,
        work: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, ResticError>>,
    {
        let mut patience = Patience::new(self.wait);
        loop {
            fit()?;
            // From before the process can begin.
            let starts = self.outside.restic.starts();
            let done = tokio::select! {
                biased;
                done = work() => done,
                () = self.note_starts(starts) => continue,
            };
            match done {
                Err(error) if is_locked(&error) => {
                    holder::settle(self.scope, self.outside, self.repository, (self.now)(), &mut patience)
                        .await?;
                }
                done => return done.map_err(|error| Failure::from(&error)),
            }
        }
    }

    async fn note_starts(&self, starts: Option<broadcast::Receiver<Started>>) {
        if let Some(mut starts) = starts {
            while let Ok(Started { repository, pid, born }) = starts.recv().await {
                if repository == *self.repository {
                    let process = Process { pid, born, from: (self.now)() };
                    // Without it a lock that is left is waited for; no reason to end.
                    let _ = self.update(|record| record.add_process(process));
                }
            }
        }
        std::future::pending::<()>().await;
    }

    fn load(&self) -> RepositoryRecord {
        RepositoryRecord::load(&self.scope.records_dir(), self.repository)
    }

    fn update(&self, change: impl FnOnce(&mut RepositoryRecord)) -> Result<RepositoryRecord, Failure> {
        let updated =
            RepositoryRecord::update(&self.scope.records_dir(), self.repository, (self.now)(), change);
        updated.map_err(|error| {
            let message = format!("the record of repository `{}` cannot be written", self.repository);
            Failure::new(Code::Failed, message).because(error.to_string())
        })
    }
}
