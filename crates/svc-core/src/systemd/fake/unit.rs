//! A unit of the fake manager.

use std::time::Duration;

use jiff::Timestamp;

use crate::names::UnitName;
use crate::systemd::{ActiveState, Client, LoadState, TimerDetails, Unit, UnitDetails, glance};
use crate::testing::unit_name;

/// What a started service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It runs until it is stopped.
    Lasting,
    /// It ends, and the unit is inactive again.
    Oneshot,
    /// It ends, and the unit stays active.
    Remains,
    /// It ends, and with it the unit is gone: it has no file.
    Passes,
}

/// A unit of the fake manager, inactive and loaded unless told otherwise.
#[derive(Debug, Clone)]
pub struct FakeUnit {
    pub(super) name: UnitName,
    pub(super) aliases: Vec<UnitName>,
    kind: Kind,
    pub(super) load: LoadState,
    pub(super) active: ActiveState,
    sub: String,
    result: String,
    timeout_start: Option<Duration>,
    timeout_stop: Option<Duration>,
    pub(super) triggered_by: Vec<UnitName>,
    pub(super) wants: Vec<UnitName>,
    pub(super) consists_of: Vec<UnitName>,
    since: Option<Timestamp>,
    restarts: u32,
    pub(super) frozen: bool,
    client: Option<Client>,
    pub(super) freezable: bool,
    timer: TimerDetails,
    file_state: String,
}

impl FakeUnit {
    /// A unit that runs until it is stopped.
    #[must_use]
    #[track_caller]
    pub fn new(name: &str) -> Self {
        Self::blank(&unit_name(name))
    }

    /// A oneshot unit that remains active after its exit, as compose stacks have them.
    #[must_use]
    #[track_caller]
    pub fn compose(name: &str) -> Self {
        Self { kind: Kind::Remains, ..Self::new(name) }
    }

    /// A oneshot unit that is inactive again as soon as it has run.
    #[must_use]
    #[track_caller]
    pub fn oneshot(name: &str) -> Self {
        Self { kind: Kind::Oneshot, ..Self::new(name) }
    }

    pub(super) fn blank(name: &UnitName) -> Self {
        Self {
            name: name.clone(),
            aliases: Vec::new(),
            kind: Kind::Lasting,
            load: LoadState::Loaded,
            active: ActiveState::Inactive,
            sub: "dead".to_owned(),
            result: "success".to_owned(),
            // systemd's own defaults.
            timeout_start: Some(Duration::from_secs(90)),
            timeout_stop: Some(Duration::from_secs(90)),
            triggered_by: Vec::new(),
            wants: Vec::new(),
            consists_of: Vec::new(),
            since: None,
            restarts: 0,
            frozen: false,
            client: None,
            freezable: true,
            timer: TimerDetails::default(),
            file_state: "enabled".to_owned(),
        }
    }

    /// A timer that starts the service of its own name, due then.
    #[must_use]
    #[track_caller]
    pub fn timer(name: &str, next: Option<Timestamp>) -> Self {
        let unit = name.strip_suffix(".timer").map(|stem| unit_name(&format!("{stem}.service")));
        Self { timer: TimerDetails { next, last: None, unit }, ..Self::new(name) }.active()
    }

    /// The same, due last then.
    #[must_use]
    pub fn elapsed(mut self, last: Timestamp) -> Self {
        self.timer.last = Some(last);
        self
    }

    /// The same, not enabled.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        "disabled".clone_into(&mut self.file_state);
        self
    }

    /// The same, its main process being a client of Docker's that says so.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// The same, its processes frozen.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// The same, running.
    #[must_use]
    pub fn active(mut self) -> Self {
        self.enter(ActiveState::Active);
        self
    }

    /// The same, stopped.
    #[must_use]
    pub fn inactive(mut self) -> Self {
        self.enter(ActiveState::Inactive);
        self
    }

    /// The same, failed with this result: `exit-code`, `oom-kill` …
    #[must_use]
    pub fn failed(mut self, result: &str) -> Self {
        self.fail(result);
        self
    }

    /// The same with another finer state: `auto-restart` …
    #[must_use]
    pub fn sub_state(mut self, sub: &str) -> Self {
        sub.clone_into(&mut self.sub);
        self
    }

    /// The same in this state.
    #[must_use]
    pub fn in_state(mut self, active: ActiveState) -> Self {
        self.enter(active);
        self
    }

    /// The same, masked; it stays as active as it was.
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.load = LoadState::Masked;
        self
    }

    /// The same with a fault in its file.
    #[must_use]
    pub fn broken(mut self) -> Self {
        self.load = LoadState::Broken;
        self
    }

    /// The same with one more name.
    #[must_use]
    #[track_caller]
    pub fn alias(mut self, name: &str) -> Self {
        self.aliases.push(unit_name(name));
        self
    }

    /// The same, started by this socket, timer or path.
    #[must_use]
    #[track_caller]
    pub fn triggered_by(mut self, name: &str) -> Self {
        self.triggered_by.push(unit_name(name));
        self
    }

    /// The same, starting this unit along with itself; stopping leaves it alone.
    #[must_use]
    #[track_caller]
    pub fn wants(mut self, name: &str) -> Self {
        self.wants.push(unit_name(name));
        self
    }

    /// The same, taking this unit along when it stops (`PartOf=` on the other side).
    #[must_use]
    #[track_caller]
    pub fn consists_of(mut self, name: &str) -> Self {
        self.consists_of.push(unit_name(name));
        self
    }

    /// The same with another limit for its start; nothing: none.
    #[must_use]
    pub fn timeout_start(mut self, limit: Option<Duration>) -> Self {
        self.timeout_start = limit;
        self
    }

    /// The same with another limit for its stop; nothing: none.
    #[must_use]
    pub fn timeout_stop(mut self, limit: Option<Duration>) -> Self {
        self.timeout_stop = limit;
        self
    }

    /// The same, in its state since then.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }

    /// The same, restarted by itself this often.
    #[must_use]
    pub fn restarts(mut self, restarts: u32) -> Self {
        self.restarts = restarts;
        self
    }

    /// The same, refusing to be frozen.
    #[must_use]
    pub fn unfreezable(mut self) -> Self {
        self.freezable = false;
        self
    }

    /// A oneshot unit without a file.
    pub(super) fn passing(name: &UnitName) -> Self {
        Self { kind: Kind::Passes, ..Self::blank(name) }
    }

    pub(super) fn passes(&self) -> bool {
        self.kind == Kind::Passes
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.active, ActiveState::Active | ActiveState::Reloading | ActiveState::Activating)
    }

    /// Starts it: where it lands depends on its kind.
    pub(super) fn run(&mut self) {
        "success".clone_into(&mut self.result);
        self.restarts = 0;
        let lands = if self.kind == Kind::Oneshot { ActiveState::Inactive } else { ActiveState::Active };
        self.enter(lands);
    }

    pub(super) fn fail(&mut self, result: &str) {
        result.clone_into(&mut self.result);
        self.enter(ActiveState::Failed);
    }

    pub(super) fn enter(&mut self, active: ActiveState) {
        self.active = active;
        let sub = match active {
            ActiveState::Active => self.running_word(),
            ActiveState::Reloading => "reload",
            ActiveState::Inactive => "dead",
            ActiveState::Failed => "failed",
            ActiveState::Activating => "start",
            ActiveState::Deactivating => "stop-sigterm",
        };
        sub.clone_into(&mut self.sub);
    }

    fn running_word(&self) -> &'static str {
        let suffix = self.name.as_str().rsplit('.').next().unwrap_or_default();
        match (suffix, self.kind) {
            ("target", _) => "active",
            ("socket", _) => "listening",
            ("timer" | "path", _) => "waiting",
            (_, Kind::Remains) => "exited",
            _ => "running",
        }
    }

    /// The unit as the manager lists it.
    #[must_use]
    pub fn unit(&self) -> Unit {
        Unit {
            name: self.name.clone(),
            description: format!("fake {}", self.name),
            load: self.load,
            active: self.active,
            sub: self.sub.clone(),
            object_path: format!("/fake/{}", self.name),
        }
    }

    /// What its properties tell.
    #[must_use]
    pub fn details(&self) -> UnitDetails {
        let masked = self.load == LoadState::Masked;
        UnitDetails {
            name: self.name.clone(),
            remains_after_exit: self.kind == Kind::Remains,
            file_state: if masked { "masked".to_owned() } else { self.file_state.clone() },
            timeout_start: self.timeout_start,
            timeout_stop: self.timeout_stop,
            triggered_by: self.triggered_by.clone(),
            result: self.result.clone(),
            since: self.since,
            restarts: self.restarts,
            members: self.consists_of.clone(),
            frozen: self.frozen,
            client: self.client.clone(),
            timer: self.timer.clone(),
        }
    }

    /// What a glance at its properties tells.
    #[must_use]
    pub fn glance(&self) -> UnitDetails {
        let (all, asked) = (self.details(), glance::questions(&self.unit(), false));
        UnitDetails {
            file_state: String::new(),
            timeout_start: None,
            timeout_stop: None,
            triggered_by: Vec::new(),
            result: String::new(),
            restarts: 0,
            client: None,
            members: if asked.iter().any(|(_, name)| *name == "ConsistsOf") {
                all.members
            } else {
                Vec::new()
            },
            timer: TimerDetails { next: all.timer.next, ..TimerDetails::default() },
            ..all
        }
    }
}

/// How the manager lists a name it knows nothing of.
pub(super) fn not_found(name: &UnitName) -> Unit {
    Unit { load: LoadState::NotFound, description: name.to_string(), ..FakeUnit::blank(name).unit() }
}
