//! The words that svc shows, each with a glyph and a tone: readable without colour, the same on every screen.

use svc_core::code::Code;
use svc_core::doctor::Grade;
use svc_core::history::Fate;
use svc_core::overview::{Health, RepositoryOverview};
use svc_core::report::ServiceReport;
use svc_core::status::StateWord;
use svc_core::timers::TimerState;

/// What a word means to its reader; each front end has one colour for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// Worth a look.
    Warn,
    /// Needs a person.
    Bad,
    /// There, but not what one looks for.
    Quiet,
    /// A heading or a name.
    Strong,
    /// Just text.
    Plain,
}

/// A word with its glyph and tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// One column wide.
    pub glyph: char,
    /// One to three words.
    pub text: &'static str,
    /// Its colour.
    pub tone: Tone,
}

impl Word {
    const fn new(glyph: char, text: &'static str, tone: Tone) -> Self {
        Self { glyph, text, tone }
    }
}

/// The state of a service; partial states have figures that this leaves out.
#[must_use]
pub const fn state(word: &StateWord) -> Word {
    match word {
        StateWord::Running => Word::new('●', "running", Tone::Good),
        StateWord::Partial { .. } => Word::new('◐', "partial", Tone::Warn),
        StateWord::Starting => Word::new('↑', "starting", Tone::Busy),
        StateWord::Unhealthy => Word::new('✗', "unhealthy", Tone::Bad),
        StateWord::Paused => Word::new('‖', "paused", Tone::Warn),
        StateWord::Stopped => Word::new('○', "stopped", Tone::Quiet),
        StateWord::Failed => Word::new('✗', "failed", Tone::Bad),
        StateWord::Masked => Word::new('⊘', "masked", Tone::Quiet),
        StateWord::ByHand => Word::new('◆', "by hand", Tone::Warn),
        StateWord::DataOnly => Word::new('·', "data only", Tone::Quiet),
        StateWord::Unknown { .. } => Word::new('?', "unknown", Tone::Warn),
    }
}

/// What health checks say.
#[must_use]
pub const fn health(health: Health) -> Word {
    match health {
        Health::Healthy => Word::new('✓', "healthy", Tone::Good),
        Health::Starting => Word::new('↑', "starting", Tone::Busy),
        Health::Unhealthy => Word::new('✗', "unhealthy", Tone::Bad),
    }
}

/// How a service of a run ended.
#[must_use]
pub const fn result(report: &ServiceReport) -> Word {
    match (&report.skipped, report.code) {
        (Some(_), Code::Ok) => Word::new('–', "skipped", Tone::Quiet),
        (_, code) => outcome(code),
    }
}

/// How something ended.
#[must_use]
pub const fn outcome(code: Code) -> Word {
    let text = match code {
        Code::Ok => return Word::new('✓', "ok", Tone::Good),
        Code::Partial => return Word::new('!', "partial", Tone::Warn),
        Code::Busy => return Word::new('!', "busy", Tone::Warn),
        Code::Hangup | Code::Interrupted | Code::Terminated => {
            return Word::new('!', "cancelled", Tone::Warn);
        }
        Code::Internal => "internal error",
        Code::Usage => "wrong usage",
        Code::Failed => "failed",
        Code::NotResumed => "not as before",
        Code::Configuration => "configuration",
        Code::Unhealthy => "unhealthy",
        Code::NoRepository => "no repository",
        Code::RepositoryLocked => "locked",
        Code::WrongPassword => "wrong password",
        Code::Damaged => "damaged",
        Code::NoSpace => "no space",
        Code::Unreachable => "unreachable",
        Code::Hook => "hook failed",
        Code::UnitOrContainer => "stuck",
        Code::ManagerUnreachable => "no manager",
        Code::Permission => "not permitted",
        Code::Refused => "refused",
    };
    Word::new('✗', text, Tone::Bad)
}

/// What has become of a run.
#[must_use]
pub const fn fate(fate: Fate) -> Word {
    match fate {
        Fate::Running => Word::new('↑', "running", Tone::Busy),
        Fate::Ended { code } => outcome(code),
        Fate::Recovered { code: Code::NotResumed } => outcome(Code::NotResumed),
        // What ran before runs again.
        Fate::Recovered { .. } => Word::new('!', "crashed", Tone::Warn),
        Fate::Crashed => Word::new('✗', "crashed", Tone::Bad),
    }
}

/// How bad what the doctor found is.
#[must_use]
pub const fn grade(grade: Grade) -> Word {
    match grade {
        Grade::Good => Word::new('✓', "good", Tone::Good),
        Grade::Skipped => Word::new('–', "skipped", Tone::Quiet),
        Grade::Warning => Word::new('!', "warning", Tone::Warn),
        Grade::Problem => Word::new('✗', "problem", Tone::Bad),
    }
}

/// Whether a timer counts.
#[must_use]
pub const fn timer(state: TimerState) -> Word {
    match state {
        TimerState::Waiting => Word::new('●', "waiting", Tone::Good),
        TimerState::NotEnabled => Word::new('!', "not enabled", Tone::Warn),
        TimerState::Off => Word::new('○', "off", Tone::Warn),
        TimerState::Broken => Word::new('✗', "broken", Tone::Bad),
        TimerState::Missing => Word::new('✗', "missing", Tone::Bad),
    }
}

/// How a service's backups in a repository stand.
#[must_use]
pub fn backup(backup: &RepositoryOverview) -> Word {
    let failed = backup.last_attempt.as_ref().is_some_and(|last| last.code != Code::Ok);
    match (&backup.last_good, failed, backup.overdue) {
        (_, true, _) => Word::new('✗', "failed", Tone::Bad),
        (Some(_), false, _) if backup.damaged => Word::new('✗', "unproven", Tone::Bad),
        (None, false, _) => Word::new('!', "missing", Tone::Warn),
        (Some(_), false, true) => Word::new('!', "overdue", Tone::Warn),
        (Some(_), false, false) => Word::new('✓', "good", Tone::Good),
    }
}
