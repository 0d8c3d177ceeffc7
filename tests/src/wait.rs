//! Waiting for a condition that nobody announces, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

/// Longest pause between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks again and again until there is an answer, and at least once; `None` when the time is over first.
pub fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        let answer = ask()?;
        if answer.is_some() || Instant::now() >= deadline {
            return Ok(answer);
        }
        thread::sleep(pause);
        pause = PAUSE.min(pause * 2);
    }
}

/// Waits until a condition holds; `false` when the time is over first.
pub fn until(limit: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<bool> {
    Ok(poll(limit, || Ok(holds()?.then_some(())))?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_is_taken() {
        let mut asked = 0;
        let answer = poll(Duration::from_secs(10), || {
            asked += 1;
            Ok((asked == 3).then_some(asked))
        });
        assert_eq!(answer.unwrap(), Some(3));
    }

    #[test]
    fn after_the_deadline_there_is_no_answer_but_one_question() {
        let mut asked = 0;
        let holds = until(Duration::ZERO, || {
            asked += 1;
            Ok(false)
        });
        assert!(!holds.unwrap());
        assert_eq!(asked, 1);
    }
}
