//! Tells a transfer that stands still from one that is slow.

use std::time::Duration;

use super::Progress;

/// Less than this in one span is noise: a lock refreshed, a connection tried again.
const NOISE: u64 = 4 * 1024;

/// Adds up the time in which nothing moved.
///
/// restic's own figures stand still for long on a slow line, while whole packs go out. So bytes that the process
/// moves hold the count, and only progress sets it back: a server that takes a buffer full every five minutes and
/// answers none is still found out.
#[derive(Debug)]
pub(super) struct Stall {
    limit: Duration,
    idle: Duration,
    progress: Progress,
    moved: u64,
}

impl Stall {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, idle: Duration::ZERO, progress: Progress::default(), moved: 0 }
    }

    /// Takes what is known after a span of time; whether it has stood still for too long.
    pub(super) fn after(&mut self, span: Duration, progress: Progress, moved: Option<u64>) -> bool {
        let moved = moved.unwrap_or(self.moved);
        if progress != self.progress {
            self.idle = Duration::ZERO;
        } else if moved.saturating_sub(self.moved) < NOISE {
            self.idle += span;
        }
        self.progress = progress;
        self.moved = moved;
        self.idle >= self.limit
    }
}

/// Bytes that a process has read and written so far, sockets and pipes included; nothing when that cannot be known.
pub(super) fn bytes_moved(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let figure =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    Some(figure("rchar:")?.saturating_add(figure("wchar:")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restic::Counts;

    const SPAN: Duration = Duration::from_secs(15);

    fn at(bytes: u64) -> Progress {
        Progress { done: Counts { files: 0, bytes }, total: None }
    }

    fn spans_until_stalled(mut moved: impl FnMut(u64) -> (Progress, Option<u64>)) -> Option<u64> {
        let mut stall = Stall::new(Duration::from_mins(10));
        (1..=1000).find(|&span| {
            let (progress, moved) = moved(span);
            stall.after(SPAN, progress, moved)
        })
    }

    #[test]
    fn ten_minutes_without_anything_are_a_stall() {
        assert_eq!(spans_until_stalled(|_| (at(0), None)), Some(40));
        assert_eq!(spans_until_stalled(|_| (at(7), Some(9))), Some(41));
    }

    #[test]
    fn a_slow_line_is_none_though_the_figures_stand() {
        assert_eq!(spans_until_stalled(|span| (at(7), Some(span * 10_000))), None);
    }

    #[test]
    fn a_server_that_swallows_a_buffer_now_and_then_is_found_out() {
        let found = spans_until_stalled(|span| (at(7), Some(span / 20 * 4_000_000)));
        assert!(found.is_some_and(|spans| spans < 50), "{found:?}");
    }

    #[test]
    fn progress_starts_the_count_again() {
        assert_eq!(spans_until_stalled(|span| (at(span / 39), Some(0))), None);
    }

    #[test]
    fn a_process_tells_what_it_moved() {
        assert!(bytes_moved(std::process::id()).is_some_and(|bytes| bytes > 0));
        assert_eq!(bytes_moved(u32::MAX), None);
    }
}
