//! Timers that really fire, and the runs that they begin.

use std::time::Duration;

use anyhow::{Result, ensure};
use svc_tests::homeserver::WAIT;
use svc_tests::{Homeserver, wait};

const LIMIT: Duration = Duration::from_mins(1);
/// What two runs at once may take.
const BOTH: Duration = Duration::from_mins(5);

#[test]
fn the_nightly_timer_fires_and_its_run_can_be_watched() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.make_backups_fail(WAIT)?;
    server.home.check(
        "mkdir -p /etc/systemd/system/svc-backup@local.timer.d
         printf '[Timer]\\nOnCalendar=\\nOnActiveSec=1s\\nRandomizedDelaySec=0\\nAccuracySec=1ms\\n' > /etc/systemd/system/svc-backup@local.timer.d/soon.conf
         systemctl daemon-reload; systemctl start svc-backup@local.timer",
    )?;
    server.wait_until_down()?;
    let watcher = server.home.spawn("exec svc attach")?;
    watcher.wait_for_stdout("backing up to local", LIMIT)?;
    server.home.check("touch /run/go")?;
    let seen = watcher.wait_within(Duration::from_mins(3))?;
    assert_eq!(seen.code, 0, "{seen}");
    assert_eq!(server.runs()?, before);
    assert!(server.snapshots("local", "music")? == 1 && server.snapshots("local", "paperless")? == 1);
    let result = server.home.check("systemctl show -P Result svc-backup@local.service")?;
    assert_eq!(result.trim(), "success");
    Ok(())
}

/// Lets a timer fire at this moment, in seconds since 1970, and only then.
fn fires_at(server: &Homeserver, timer: &str, moment: u64) -> Result<()> {
    let lines = format!(
        "[Timer]\nOnCalendar=\nOnCalendar=@{moment}\nRandomizedDelaySec=0\nAccuracySec=1ms\nPersistent=false\n"
    );
    server.home.write(&format!("/etc/systemd/system/{timer}.d/soon.conf"), lines)
}

/// Says that a backup begins or ends, which service it is of and when.
const STAMP: &str = r#"[ -e /run/began-$PPID-$$ ] && what=ends || what=begins
    : > /run/began-$PPID-$$; echo "$what $(echo "$*" | grep -o 'svc:[a-z]*')""#;

#[test]
fn mistake_07_timers_of_two_repositories_that_fire_in_the_same_minute_never_save_one_service_at_once()
-> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let before = server.runs()?;
    server.freeze_nothing()?;
    server.watch_backups(STAMP)?;
    let soon = server.home.check("date +%s")?.trim().parse::<u64>()? + 3;
    let timers = ["svc-backup@local.timer", "svc-backup@remote.timer"];
    for timer in timers {
        fires_at(&server, timer, soon)?;
    }
    server.home.check(&format!("systemctl daemon-reload; systemctl start {}", timers.join(" ")))?;
    let units = "svc-backup@local.service svc-backup@remote.service";
    let ends = format!("systemctl show -P ExecMainExitTimestampMonotonic {units}");
    let have_ended = || Ok(server.home.check(&ends)?.lines().filter(|end| end.len() > 1).count() == 2);
    ensure!(wait::until(BOTH, have_ended)?, "{}", server.home.check("svc runs")?);
    let results = server.home.check(&format!("systemctl show -P Result -P ExecMainStatus {units}"))?;
    assert_eq!(results.split_whitespace().collect::<Vec<_>>(), ["success", "0", "success", "0"]);
    // Both were at work in the same minute.
    let starts = server.home.check(&format!("systemctl show -P ExecMainStartTimestamp {units}"))?;
    let starts: Vec<&str> = starts.lines().filter(|line| !line.is_empty()).collect();
    assert!(starts.len() == 2 && starts[0] == starts[1], "{starts:?}");
    let seen = server.seen_meanwhile()?;
    for service in ["paperless", "caddy", "notes", "music"] {
        let tag = format!("svc:{service}");
        let own: Vec<&str> = seen.lines().filter(|line| line.ends_with(&tag)).collect();
        let words: Vec<&str> = own.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(words, ["begins", "ends", "begins", "ends"], "{service}: {seen}");
        assert_eq!((server.snapshots("local", service)?, server.snapshots("remote", service)?), (1, 1));
    }
    assert_eq!(server.runs()?, before);
    Ok(())
}
