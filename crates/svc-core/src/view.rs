//! A run as it stands now: a pure fold over its events, the same for every renderer and for a log on disk.

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::event::{Body, Event};
use crate::failure::Failure;
use crate::names::{RepositoryName, ServiceName};
use crate::plan::{Plan, Step, Target};
use crate::report::{Report, ServiceReport};
use crate::restic::Progress;

/// A run as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// What it will do.
    pub plan: Option<Plan>,
    /// When it began.
    pub began: Option<Timestamp>,
    /// Each service, in the order of the plan.
    pub services: IndexMap<ServiceName, ServiceView>,
    /// What asked it to end.
    pub cancelled_by: Option<String>,
    /// How it ended.
    pub report: Option<Report>,
}

/// A service of a run as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceView {
    /// When work on it began.
    pub began: Option<Timestamp>,
    /// The step that is being done, and since when.
    pub step: Option<(Step, Timestamp)>,
    /// How far restic is.
    pub transfer: Option<Transfer>,
    /// What of it is down.
    pub down: Vec<Target>,
    /// Since when.
    pub down_since: Option<Timestamp>,
    /// What has failed so far.
    pub failures: Vec<Failure>,
    /// How it ended.
    pub report: Option<ServiceReport>,
}

/// How far restic is, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// With which repository.
    pub repository: RepositoryName,
    /// When it began.
    pub began: Timestamp,
    /// When the figures are from.
    pub at: Timestamp,
    /// The figures.
    pub progress: Progress,
}

impl View {
    /// The view after all these events.
    #[must_use]
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut view = Self::default();
        events.into_iter().for_each(|event| view.apply(event));
        view
    }

    /// Takes one more event in.
    pub fn apply(&mut self, event: &Event) {
        match &event.body {
            Body::RunStarted { plan, .. } => {
                self.began = Some(event.at);
                let names = plan.services.iter().map(|service| service.service.clone());
                self.services = names.map(|name| (name, ServiceView::default())).collect();
                self.plan = Some(plan.clone());
            }
            // It had died, or had not brought everything back: it has not ended yet.
            Body::Recovering { .. } => self.report = None,
            Body::CancelRequested { by } => self.cancelled_by = Some(by.clone()),
            Body::RunFinished { report } => self.report = Some(report.clone()),
            body => {
                if let Some(service) = body.service() {
                    self.services.entry(service.clone()).or_default().apply(event.at, body);
                }
            }
        }
    }

    /// Services that have ended.
    pub fn finished(&self) -> impl Iterator<Item = &ServiceReport> {
        self.services.values().filter_map(|service| service.report.as_ref())
    }
}

impl ServiceView {
    fn apply(&mut self, at: Timestamp, body: &Body) {
        match body {
            Body::ServiceStarted { .. } => {
                self.began = Some(at);
                self.report = None;
            }
            Body::StepStarted { step, .. } => self.begin(at, step),
            Body::StepFinished { failure, .. } => {
                self.step = None;
                self.transfer = None;
                self.failures.extend(failure.clone());
            }
            Body::Stopped { target, .. } => self.stopped(at, target),
            Body::Started { target, .. } => self.started(target),
            Body::Progress { repository, progress, .. } => self.progress(at, repository, *progress),
            Body::ServiceFinished { report } => {
                self.step = None;
                self.report = Some(report.clone());
            }
            Body::RunStarted { .. }
            | Body::Recovering { .. }
            | Body::PriorState { .. }
            | Body::Exchanging { .. }
            | Body::Exchanged { .. }
            | Body::PuttingBack { .. }
            | Body::PutBack { .. }
            | Body::Mixed { .. }
            | Body::SnapshotSaved { .. }
            | Body::Forgotten { .. }
            | Body::ResticStarted { .. }
            | Body::HotSaved { .. }
            | Body::TreesKept { .. }
            | Body::HookOutput { .. }
            | Body::Note { .. }
            | Body::CancelRequested { .. }
            | Body::RunFinished { .. } => {}
        }
    }

    fn begin(&mut self, at: Timestamp, step: &Step) {
        self.step = Some((step.clone(), at));
        self.transfer = None;
    }

    fn stopped(&mut self, at: Timestamp, target: &Target) {
        self.down.push(target.clone());
        self.down_since = self.down_since.or(Some(at));
    }

    fn started(&mut self, target: &Target) {
        self.down.retain(|down| down != target);
        self.down_since = self.down_since.filter(|_| !self.down.is_empty());
    }

    fn progress(&mut self, at: Timestamp, repository: &RepositoryName, progress: Progress) {
        let began = self.transfer.as_ref().map_or(at, |transfer| transfer.began);
        self.transfer = Some(Transfer { repository: repository.clone(), began, at, progress });
    }
}

impl Transfer {
    /// Bytes a second so far; nothing before there is a figure.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown to people with two digits")]
    pub fn bytes_per_second(&self) -> Option<f64> {
        let seconds = self.at.duration_since(self.began).as_secs_f64();
        (seconds > 0.0).then(|| self.progress.done.bytes as f64 / seconds)
    }

    /// Done, from 0 to 1; nothing before restic knows the total.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown to people with two digits")]
    pub fn ratio(&self) -> Option<f64> {
        let total = self.progress.total.filter(|total| total.bytes > 0)?;
        Some((self.progress.done.bytes as f64 / total.bytes as f64).clamp(0.0, 1.0))
    }

    /// Seconds left at this pace; nothing before it can be told.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown to people with two digits")]
    pub fn seconds_left(&self) -> Option<f64> {
        let total = self.progress.total?;
        let left = total.bytes.saturating_sub(self.progress.done.bytes);
        self.bytes_per_second().filter(|pace| *pace > 0.0).map(|pace| left as f64 / pace)
    }
}
