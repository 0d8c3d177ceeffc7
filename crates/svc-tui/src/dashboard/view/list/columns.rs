//! Which columns the list has, and how wide they are.

use svc_core::names::RepositoryName;
use svc_core::overview::ServiceOverview;

use crate::text;

/// `59 min`.
pub(super) const SINCE: usize = 6;
/// `✓ 59 min`.
pub(super) const BACKUP: usize = 8;
/// Names give way to the other columns, but only so far.
const SHORT_NAME: usize = 11;
const LONG_NAME: usize = 28;
/// Descriptions are shown where they have so much room.
const DESCRIPTION: usize = 24;
/// The cursor's mark.
const MARK: usize = 2;

/// The widths of the columns, and which there are.
pub(super) struct Columns<'a> {
    pub(super) gap: usize,
    pub(super) name: usize,
    pub(super) state: usize,
    pub(super) since: bool,
    pub(super) backups: Backups<'a>,
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
        let mut repositories: Vec<&RepositoryName> = Vec::new();
        for backup in services.iter().flat_map(|one| &one.backups) {
            if !repositories.contains(&&backup.repository) {
                repositories.push(&backup.repository);
            }
        }
        let (each, worst) = if repositories.is_empty() {
            (Backups::None, Backups::None)
        } else {
            (Backups::Each(repositories), Backups::Worst)
        };
        let short = name.min(SHORT_NAME);
        let candidates = [
            (3, name, true, &each),
            (2, name, true, &each),
            (2, name, false, &each),
            (2, name, true, &worst),
            (2, name, false, &worst),
            (2, short, false, &worst),
            (2, name, false, &Backups::None),
        ];
        let columns = candidates.map(|(gap, name, since, backups)| Self {
            gap,
            name,
            state,
            since,
            backups: backups.clone(),
            description: 0,
        });
        let bare = Self { gap: 2, name: short, state, since: false, backups: Backups::None, description: 0 };
        let chosen = columns.into_iter().find(|columns| columns.needs() <= width).unwrap_or(bare);
        chosen.described(services, width)
    }

    fn needs(&self) -> usize {
        let backups: usize = match &self.backups {
            Backups::Each(names) => names.iter().map(|name| backup_width(name) + self.gap).sum(),
            Backups::Worst => BACKUP + self.gap,
            Backups::None => 0,
        };
        let since = if self.since { SINCE + self.gap } else { 0 };
        MARK + self.name + self.gap + self.state + since + backups
    }

    /// What is left goes to the descriptions.
    fn described(self, services: &[ServiceOverview], width: usize) -> Self {
        let room = width.saturating_sub(self.needs() + self.gap + 1);
        let any = services.iter().any(|one| one.description.is_some());
        let description = if any && room >= DESCRIPTION { room } else { 0 };
        Self { description, ..self }
    }
}

pub(super) fn backup_width(name: &RepositoryName) -> usize {
    text::width(name.as_str()).clamp(BACKUP, 16)
}
