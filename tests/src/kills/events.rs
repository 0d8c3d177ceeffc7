//! What a run's log says of how it died and of what was done then.

use serde_json::Value;

use super::rehearsal::Place;

/// The process that the run begins in, from its log's text.
pub(super) fn process(log: &str) -> Option<u64> {
    let first: Value = serde_json::from_str(log.split_once('\n')?.0).ok()?;
    first["pid"].as_u64()
}

/// Whether it died; else it came to its end first.
pub(super) fn has_crashed(events: &[Value]) -> bool {
    events.last().is_some_and(|last| last["report"]["crashed"] == true)
}

/// What it ended with, as an exit code.
pub(super) fn code(events: &[Value]) -> u64 {
    let word = events.last().and_then(|last| last["report"]["code"].as_str()).unwrap_or_default();
    match word {
        "ok" => 0,
        "failed" => 4,
        "notResumed" => 5,
        "interrupted" => 130,
        "terminated" => 143,
        _ => 1,
    }
}

/// Whether the service had come to its end when the run died: then all that was left was to forget what is old.
pub(super) fn had_ended(events: &[Value]) -> bool {
    let lived = events.get(..death(events)).unwrap_or(events);
    lived.iter().any(|event| event["event"] == "serviceFinished" && event["report"]["code"] == "ok")
}

/// The step under way when the log ends.
pub(super) fn place(events: &[Value]) -> Option<Place> {
    let is_of_step = |event: &&Value| event["event"] == "stepStarted" || event["event"] == "stepFinished";
    let started = events.iter().rfind(is_of_step).filter(|event| event["event"] == "stepStarted")?;
    let word = started["step"]["do"].as_str()?;
    let pass = started["step"]["pass"].as_str();
    let step = pass.map_or_else(|| word.to_owned(), |pass| format!("{pass} {word}"));
    Some(Place { step, index: started["index"].as_u64()? })
}

/// The step that it was killed in.
pub(super) fn killed_in(events: &[Value]) -> Option<String> {
    Some(place(events.get(..death(events)).unwrap_or(events))?.step)
}

/// From this moment, in milliseconds since 1970, to the first step of the recovery that started something; nothing: it
/// started nothing.
#[must_use]
pub fn start_ms(events: &[Value], killed: u64) -> Option<u64> {
    let rest = events.get(death(events)..)?;
    let started = rest.iter().position(|event| event["event"] == "started")?;
    let ordered = rest.get(..started)?.iter().rfind(|event| event["event"] == "stepStarted")?;
    Some(epoch_millis(ordered["at"].as_str()?)?.saturating_sub(killed))
}

/// Where in the log another process goes on.
fn death(events: &[Value]) -> usize {
    events.iter().position(|event| event["event"] == "recovering").unwrap_or(events.len())
}

/// Of a time in UTC, as RFC 3339 or systemd writes it, with the help of `date`, for the tests have no library of dates.
#[must_use]
pub fn epoch_millis(at: &str) -> Option<u64> {
    let output = std::process::Command::new("date").args(["-d", at, "+%s%3N"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn killed_while_stopping() -> Vec<Value> {
        vec![
            json!({"event": "runStarted", "at": "2026-01-01T00:00:00Z"}),
            json!({"event": "stepStarted", "at": "2026-01-01T00:00:01Z", "index": 4, "step": {"do": "stop"}}),
            json!({"event": "recovering", "at": "2026-01-01T00:00:03Z"}),
            json!({"event": "stepStarted", "at": "2026-01-01T00:00:03.250Z", "index": 0, "step": {"do": "resume"}}),
            json!({"event": "started", "at": "2026-01-01T00:00:04Z"}),
            json!({"event": "runFinished", "report": {"code": "failed", "crashed": true}}),
        ]
    }

    #[test]
    fn the_order_to_start_counts_and_not_its_end() {
        let events = killed_while_stopping();
        let killed = epoch_millis("2026-01-01T00:00:03Z").unwrap();
        assert_eq!(start_ms(&events, killed), Some(250));
        assert_eq!((has_crashed(&events), code(&events)), (true, 4));
        assert_eq!(killed_in(&events).as_deref(), Some("stop"));
    }

    #[test]
    fn a_service_that_ended_before_the_death_is_told_from_one_that_ended_after_it() {
        let ended = json!({"event": "serviceFinished", "report": {"code": "ok"}});
        let mut events = killed_while_stopping();
        events.push(ended.clone());
        assert!(!had_ended(&events));
        events.insert(2, ended);
        assert!(had_ended(&events));
    }

    #[test]
    fn a_recovery_that_starts_nothing_has_no_such_time() {
        let mut events = killed_while_stopping();
        events.remove(4);
        assert_eq!(start_ms(&events, 0), None);
    }
}
