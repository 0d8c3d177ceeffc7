//! How long a container was gone while something was done to it, as Docker itself dates that.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::Machine;

/// Does it, and then prints when it began and ended, and what Docker tells of that time. The clock is the machine's.
const WATCH: &str = r#"
began=$EPOCHREALTIME
{ LINE
} >&2 || exit
ended=$EPOCHREALTIME
echo "${began/./}000 began"
docker events --since "$began" --until "$ended" --filter container=CONTAINER --format '{{.TimeNano}} {{.Action}}'
echo "${ended/./}000 ended"
"#;

/// When svc wanted a stop, and when it knew of the start, by its own log.
const LOGGED: &str = r#"
ls -t /var/lib/svc/runs/*/log.jsonl | head -n 1 | xargs jq -r '
    select(.event == "stepStarted" and .step.do == "stop" or .event == "started") | .at' | date -f - '+%s%N at'
"#;

/// How long a service was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outage {
    /// From its end to its start, or from where it was held to where it went on.
    pub(super) gone: Duration,
    /// From the wish to stop it to the news that it is there again.
    pub(super) whole: Duration,
}

/// Words of Docker for what goes and what comes back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words(&'static str, &'static str);

/// Its process ended and began.
pub(super) const STOPPED: Words = Words("die", "start");
/// Its processes were held and let go.
pub(super) const HELD: Words = Words("pause", "unpause");

/// Runs a line of the shell that takes a container down and brings it back.
pub(super) fn of_line(machine: &Machine, container: &str, line: &str) -> Result<Outage> {
    let (told, gone) = watch(machine, container, line, STOPPED)?;
    Ok(Outage { gone, whole: between(&told, "began", "ended")? })
}

/// Lets svc back a service up.
pub(super) fn of_svc(machine: &Machine, service: &str) -> Result<Outage> {
    let (_, gone) = watch(machine, service, &format!("svc backup local {service}"), STOPPED)?;
    let log = machine.check(LOGGED)?;
    let times: Vec<Moment<'_>> = log.lines().filter_map(moment).collect();
    let whole = times.first().zip(times.last()).and_then(|(first, last)| last.0.checked_sub(first.0));
    let whole =
        whole.filter(|_| times.len() == 2).with_context(|| format!("not one stop and start:\n{log}"))?;
    Ok(Outage { gone, whole: Duration::from_nanos(whole) })
}

/// Does it; what was told meanwhile, and how long the container was away.
pub(super) fn watch(
    machine: &Machine,
    container: &str,
    line: &str,
    words: Words,
) -> Result<(String, Duration)> {
    let script = WATCH.replace("LINE", line).replace("CONTAINER", container);
    let told = machine.program(["bash", "-c", &script])?.check()?;
    let gone = between(&told, words.0, words.1)?;
    Ok((told, gone))
}

/// When, in nanoseconds, and what.
type Moment<'a> = (u64, &'a str);

fn moment(line: &str) -> Option<Moment<'_>> {
    let (time, word) = line.split_once(' ')?;
    Some((time.parse().ok()?, word))
}

/// The time between two words, each of which has to be told exactly once.
fn between(told: &str, first: &str, last: &str) -> Result<Duration> {
    let only = |wanted| {
        let mut times = told.lines().filter_map(moment).filter(|(_, word)| *word == wanted);
        times.next().filter(|_| times.next().is_none())
    };
    let span = only(first).zip(only(last)).and_then(|((from, _), (to, _))| to.checked_sub(from));
    span.map(Duration::from_nanos)
        .with_context(|| format!("not one `{first}` and one `{last}` after it:\n{told}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "1000 began\n2000 kill\n3000 die\n3100 stop\n7000 start\n9000 ended\n";

    #[test]
    fn what_docker_tells_says_how_long_it_was_away() {
        assert_eq!(between(TOLD, "die", "start").unwrap(), Duration::from_micros(4));
        assert_eq!(between(TOLD, "began", "ended").unwrap(), Duration::from_micros(8));
    }

    #[test]
    fn what_ended_twice_or_never_is_not_measured() {
        assert!(between(TOLD, "pause", "unpause").is_err());
        assert!(between(TOLD, "start", "die").is_err());
        let twice = format!("{TOLD}9500 die\n");
        assert!(between(&twice, "die", "start").is_err());
    }
}
