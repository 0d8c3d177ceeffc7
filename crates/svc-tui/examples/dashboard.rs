//! The dashboard with made-up services, to look at: `cargo run -p svc-tui --example dashboard`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use svc_core::overview::Overview;
use tokio::sync::mpsc;

fn main() -> std::io::Result<()> {
    let text = include_str!("../tests/data/overview.json");
    let overview: Overview = serde_json::from_str(text)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (sender, overviews) = mpsc::channel(1);
        tokio::select! {
            ended = svc_tui::run(overviews) => ended,
            () = tell(overview, sender) => Ok(()),
        }
    })
}

/// Sends the same services every two seconds, as old as if they had been seen now.
async fn tell(overview: Overview, sender: mpsc::Sender<Overview>) {
    let seen = aged(overview, Timestamp::now());
    let began = seen.at;
    while sender.send(Overview { at: began.max(Timestamp::now()), ..seen.clone() }).await.is_ok() {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

fn aged(mut overview: Overview, now: Timestamp) -> Overview {
    let passed: SignedDuration = now.duration_since(overview.at);
    overview.at = now;
    for service in &mut overview.services {
        service.state.since = service.state.since.map(|since| since + passed);
        for attempt in
            service.backups.iter_mut().flat_map(|one| one.last_good.iter_mut().chain(&mut one.last_attempt))
        {
            attempt.at += passed;
        }
    }
    overview
}
