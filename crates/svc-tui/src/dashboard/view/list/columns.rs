//! Which columns the list has, and how wide they are.

use svc_core::names::RepositoryName;
use svc_core::overview::ServiceOverview;

use crate::text;

/// `unhealthy`.
pub(super) const HEALTH: usize = 9;
/// `59 min`.
pub(super) const SINCE: usize = 6;
/// `✓ 59 min`.
pub(super) const BACKUP: usize = 8;
/// `in 59 min`.
pub(super) const NEXT: usize = 9;
/// Names give way to the other columns, but only so far.
const SHORT_NAME: usize = 11;
const LONG_NAME: usize = 28;
/// Descriptions are shown where they have so much room.
const DESCRIPTION: usize = 24;
/// The cursor's mark.
const MARK: usize = 2;

/// The widths of the columns, and which there are.
#[derive(Clone)]
pub(super) struct Columns<'a> {
    pub(super) gap: usize,
    pub(super) name: usize,
    pub(super) state: usize,
    pub(super) health: bool,
    pub(super) since: bool,
    pub(super) backups: Backups<'a>,
    pub(super) next: bool,
    pub(super) description: usize,
}

/// How backups are shown.
#[derive(Clone)]
pub(super) enum Backups<'a> {
    /// A column for each repository.
    Each(Vec<&'a RepositoryName>),
    /// One column with the worst of them.
    Worst,
    /// Not at all.
    None,
}

impl<'a> Columns<'a> {
    /// The richest columns for which there is room.
    pub(super) fn of(services: &'a [ServiceOverview], width: usize) -> Self {
        let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let name =
            longest(&mut services.iter().map(|one| text::width(one.name.as_str()))).clamp(7, LONG_NAME);
        let state = longest(&mut services.iter().map(|one| text::width(&one.state.text) + 2)).max(5);
        let repositories = repositories(services);
        let (each, worst) = if repositories.is_empty() {
            (Backups::None, Backups::None)
        } else {
            (Backups::Each(repositories), Backups::Worst)
        };
        let bare = Self {
            gap: 2,
            name: name.min(SHORT_NAME),
            state,
            health: false,
            since: false,
            backups: Backups::None,
            next: false,
            description: 0,
        };
        let full = Self {
            name,
            health: services.iter().any(|one| one.state.health.is_some()),
            next: services.iter().any(|one| one.next_run.is_some()),
            since: true,
            backups: each,
            ..bare.clone()
        };
        let mut candidates = full.narrower(&worst);
        // Wider gaps are not worth the descriptions.
        let is_worth = |columns: &Self| {
            let narrow = Self { gap: bare.gap, ..columns.clone() };
            narrow.described(services, width).description.min(1)
                <= columns.clone().described(services, width).description
        };
        let chosen = candidates.find(|columns| columns.needs() <= width && is_worth(columns));
        chosen.unwrap_or(bare.clone()).described(services, width)
    }

    /// Ever fewer columns: health goes first, for the state says it where it is bad; then the next run, since when,
    /// and the backups one by one.
    fn narrower(self, worst: &Backups<'a>) -> impl Iterator<Item = Self> {
        let wide = Self { gap: 3, ..self.clone() };
        let without_health = Self { health: false, ..self.clone() };
        let without_since = Self { since: false, ..without_health.clone() };
        let today = Self { next: false, ..without_health.clone() };
        let each = Self { since: false, ..today.clone() };
        let worst_since = Self { backups: worst.clone(), ..today.clone() };
        let worst = Self { since: false, ..worst_since.clone() };
        let short = Self { name: self.name.min(SHORT_NAME), ..worst.clone() };
        let none = Self { backups: Backups::None, ..worst.clone() };
        [
            wide,
            self,
            Self { gap: 3, ..without_health.clone() },
            without_health,
            without_since,
            today,
            each,
            worst_since,
            worst,
            short,
            none,
        ]
        .into_iter()
    }

    fn needs(&self) -> usize {
        let backups: usize = match &self.backups {
            Backups::Each(names) => names.iter().map(|name| backup_width(name) + self.gap).sum(),
            Backups::Worst => BACKUP + self.gap,
            Backups::None => 0,
        };
        let column = |shown: bool, width: usize| if shown { width + self.gap } else { 0 };
        let rest = column(self.health, HEALTH) + column(self.since, SINCE) + column(self.next, NEXT);
        MARK + self.name + self.gap + self.state + rest + backups
    }

    /// What is left goes to the descriptions.
    fn described(self, services: &[ServiceOverview], width: usize) -> Self {
        let room = width.saturating_sub(self.needs() + self.gap + 1);
        let any = services.iter().any(|one| one.description.is_some());
        let description = if any && room >= DESCRIPTION { room } else { 0 };
        Self { description, ..self }
    }
}

/// All that services are backed up to, in the order of their first mention.
fn repositories(services: &[ServiceOverview]) -> Vec<&RepositoryName> {
    let mut repositories: Vec<&RepositoryName> = Vec::new();
    for backup in services.iter().flat_map(|one| &one.backups) {
        if !repositories.contains(&&backup.repository) {
            repositories.push(&backup.repository);
        }
    }
    repositories
}

pub(super) fn backup_width(name: &RepositoryName) -> usize {
    text::width(name.as_str()).clamp(BACKUP, 16)
}
