//! Units that others wrote: containers in the foreground that start again by themselves, stacks under a target, a
//! database of Debian's package, services that a socket or a timer starts. svc stops them for good and puts them back.

use std::time::Duration;

use anyhow::{Result, ensure};
use svc_tests::{Homeserver, wait};

const SERVICES: &str = "vaultwarden media postgresql calendar feeds";

/// Everything of them that runs, by name.
const RUNNING: &str = "
    running() {
        docker ps --format '{{.Names}}' | grep -E '^(vaultwarden|media-)' | sort
        for unit in docker-vaultwarden docker-media-db docker-media-app postgresql@17-main \\
            calendar.socket calendar.service feeds.timer feeds.service; do
            # A oneshot service that runs is being activated.
            case $(systemctl is-active $unit) in inactive|failed) ;; *) echo $unit ;; esac
        done
    }";

/// Says what runs of the service that is being saved.
const WATCH: &str = r#"
    case "$*" in
        *svc:vaultwarden*) running | grep vaultwarden ;;
        *svc:media*) running | grep media ;;
        *svc:postgresql*) running | grep postgresql ;;
        *svc:calendar*) running | grep calendar; curl -sS -m 1 http://127.0.0.1:8071/ 2> /dev/null && echo answered ;;
        *svc:feeds*) running | grep feeds ;;
    esac"#;

/// Clients that ask all the time, whether anybody answers or not.
const KNOCK: &str =
    "while [ -e /run/knock ]; do curl -s -o /dev/null -m 1 http://127.0.0.1:8071/; sleep 0.02; done";

/// A homeserver in which all of them run, the sleepers' triggers too, and a client that asks for the calendar.
fn all_up() -> Result<Option<Homeserver>> {
    let Some(server) = Homeserver::for_test()? else { return Ok(None) };
    server.home.check(
        "cp /etc/svc/services.new.json /etc/svc/services.json; touch /run/knock
         systemctl start docker-vaultwarden docker-compose-media-root.target postgresql calendar.socket feeds.timer
         systemctl enable --quiet calendar.socket feeds.timer
         runuser -u postgres -- psql -q -c 'create table rows as select generate_series(1, 1000) as id'",
    )?;
    Ok(Some(server))
}

fn running(server: &Homeserver) -> Result<Vec<String>> {
    let seen = server.home.check(&format!("{RUNNING}\nrunning"))?;
    // Its timer starts it five times a second, for milliseconds.
    Ok(seen.lines().filter(|line| *line != "feeds.service").map(str::to_owned).collect())
}

fn rows(server: &Homeserver) -> Result<String> {
    server.home.check("runuser -u postgres -- psql -At -c 'select count(*) from rows'")
}

fn is_fetching(server: &Homeserver) -> Result<bool> {
    let items = || server.home.check("cat /var/lib/feeds/items 2> /dev/null | wc -l");
    let before = items()?;
    wait::until(Duration::from_secs(10), || Ok(items()? != before))
}

#[test]
fn units_of_any_kind_are_stopped_while_they_are_saved_and_run_as_before() -> Result<()> {
    let Some(server) = all_up()? else { return Ok(()) };
    let client = server.home.program(["bash", "-c", KNOCK])?.spawn()?;
    let awake = || Ok(running(&server)?.contains(&"calendar.service".to_owned()));
    ensure!(wait::until(Duration::from_secs(10), awake)?, "the socket starts nothing");
    let before = running(&server)?;
    assert_eq!(before.len(), 10, "{before:?}");
    server.freeze_nothing()?;
    server.watch_backups(&format!("{RUNNING}\n{WATCH}"))?;
    let backup = server.svc(&format!("backup local {SERVICES}"))?;
    assert_eq!(backup.code, 0, "{}{}", backup.stdout, backup.stderr);
    assert_eq!(server.seen_meanwhile()?, "", "ran while it was saved");
    assert_eq!(running(&server)?, before);
    assert_eq!((rows(&server)?.as_str(), is_fetching(&server)?), ("1000\n", true));
    // The volume is a directory elsewhere, which its `_data` does not show while no container uses it.
    let dump = "restic -r /mnt/backup/restic --password-file /var/lib/secrets/restic/password dump latest";
    let numbers = server.home.check(&format!("{dump} --tag svc:media /data/media/numbers | tail -1"))?;
    assert_eq!(numbers, "100\n");

    let stop = server.svc(&format!("stop {SERVICES}"))?;
    assert_eq!(stop.code, 0, "{}{}", stop.stdout, stop.stderr);
    assert_eq!(running(&server)?, Vec::<String>::new());
    for verb in ["start", "restart"] {
        let ended = server.svc(&format!("{verb} {SERVICES}"))?;
        assert_eq!(ended.code, 0, "{verb}: {}{}", ended.stdout, ended.stderr);
        assert_eq!(running(&server)?, before, "{verb}");
    }
    assert_eq!((rows(&server)?.as_str(), is_fetching(&server)?), ("1000\n", true));
    server.home.check("rm /run/knock")?;
    assert_eq!(client.wait_within(Duration::from_secs(10))?.code, 0);
    Ok(())
}

#[test]
fn a_container_that_a_unit_only_shows_is_paused_itself_and_goes_on() -> Result<()> {
    let Some(server) = all_up()? else { return Ok(()) };
    server.configure(
        ".services.media.backup |= (del(.needsServiceStopped) | .quiesce = \"pause\" | .freeze = \"never\")",
    )?;
    let before = running(&server)?;
    server.watch_backups("docker ps --filter status=running --format '{{.Names}}' | grep ^media-")?;
    let backup = server.svc("backup local media")?;
    assert_eq!(backup.code, 0, "{}{}", backup.stdout, backup.stderr);
    assert_eq!(server.seen_meanwhile()?, "", "ran while it was saved");
    assert_eq!(running(&server)?, before);
    // Under another name nobody finds it, and nothing is held that only seems to be.
    server.home.check("docker rename media-db other && docker rename media-app another")?;
    let refused = server.svc("backup local media")?;
    assert_eq!(refused.code, 20, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("cannot be paused"), "{}", refused.stderr);
    assert_eq!(server.snapshots("local", "media")?, 1);
    Ok(())
}
