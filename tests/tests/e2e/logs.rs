//! `svc logs`: all that a service writes, once, in the order of time, for as long as somebody reads.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use svc_tests::{Homeserver, wait};

/// Writes `NAME 0`, `NAME 1` … at so many lines a second for so many seconds, then `NAME end`.
const FLOOD: &str = r#"
import sys, time
name, rate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
start = time.monotonic()
for n in range(rate * seconds):
    sys.stdout.write(f"{name} {n}\n")
    if n % 20 == 0:
        sys.stdout.flush()
        time.sleep(max(0, start + n / rate - time.monotonic()))
print(f"{name} end", flush=True)
"#;

const UNIT: &str = "[Service]\nType=oneshot\nLogRateLimitIntervalSec=0\nExecStart=/usr/bin/python3 /opt/flood.py unit 1000 5\n";

/// `start NAME [DOCKER OPTIONS] -- COMMAND`: a container of the stack.
const START: &str = r#"
start() {
    name=$1 options=; shift
    while [ "$1" != -- ]; do options="$options $1"; shift; done
    program=$2; shift 2
    docker run --detach --pull never --name flood-$name-1 --volume /opt/flood.py:/flood.py:ro $options \
        --label com.docker.compose.project=flood --label com.docker.compose.service=$name \
        --entrypoint "$program" homeserver/idle:1 "$@" > /dev/null
}"#;

const STOP: &str = "docker stop flood-web-1";
/// What Docker itself has written down.
const LOG: &str = "$(docker inspect -f '{{.LogPath}}' flood-web-1)";

const LIMIT: Duration = Duration::from_mins(2);

/// A homeserver with one service more, `flood`: a unit, and the containers that a test makes.
fn flood() -> Result<Option<Homeserver>> {
    let Some(server) = Homeserver::for_test()? else { return Ok(None) };
    server.home.write("/opt/flood.py", FLOOD)?;
    server.home.write("/etc/systemd/system/flood.service", UNIT)?;
    server.home.check(
        r#"systemctl daemon-reload
           flood='{"name": "flood", "units": ["flood.service"], "backup": {"enable": false}}'
           jq ".services.flood = $flood" /etc/svc/services.json > /run/services.json
           mv /run/services.json /etc/svc/services.json"#,
    )?;
    Ok(Some(server))
}

fn lines(stdout: &str) -> Result<Vec<Value>> {
    stdout.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// The moments of lines, to be compared.
fn times(lines: &[Value]) -> Vec<&str> {
    // As text they compare as moments do, but for the fraction's length.
    lines.iter().filter_map(|line| line["at"].as_str()?.strip_suffix('Z')).collect()
}

/// Each writer's numbers, in the order in which they came.
fn numbers(lines: &[Value]) -> BTreeMap<String, Vec<u64>> {
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in lines {
        let words = line["message"].as_str().and_then(|text| text.trim_end().split_once(' '));
        if let Some((name, number)) = words.and_then(|(name, number)| Some((name, number.parse().ok()?))) {
            numbers.entry(name.to_owned()).or_default().push(number);
        }
    }
    numbers
}

#[test]
fn ten_thousand_lines_a_second_come_whole_and_in_the_order_of_time() -> Result<()> {
    let Some(server) = flood()? else { return Ok(()) };
    let logs = server.home.spawn("svc logs flood --json --tail 0")?;
    server.home.check(&format!("{START}\nstart ready -- echo ready"))?;
    // Made after `svc logs` began, and shown: from here on nothing may be missed.
    logs.wait_for_stdout("\"ready\"", LIMIT)?;
    server.home.check(&format!(
        "{START}
         systemctl start --no-block flood.service
         for name in a b; do start $name -- python3 /flood.py $name 3000 5; done
         start c --tty -- python3 /flood.py c 3000 5"
    ))?;
    for name in ["a", "b", "c", "unit"] {
        logs.wait_for_stdout(&format!("\"{name} end\""), LIMIT)?;
    }
    logs.signal_group(Signal::INT)?;
    let ended = logs.wait_within(Duration::from_secs(10))?;
    assert_eq!((ended.code, ended.stderr.as_str()), (130, ""));
    no_journalctl(&server)?;

    let lines = lines(&ended.stdout)?;
    let wanted = [("a", 15_000), ("b", 15_000), ("c", 15_000), ("unit", 5_000)];
    let wanted: BTreeMap<_, _> = wanted.map(|(name, count)| (name.to_owned(), (0..count).collect())).into();
    assert!(numbers(&lines) == wanted, "{:?}", numbers(&lines).values().map(Vec::len).collect::<Vec<_>>());
    let times = times(&lines);
    let late: Vec<_> = times.windows(2).filter(|pair| pair[0] > pair[1]).collect();
    assert!(late.is_empty(), "{late:?}");

    // What was followed is what is there afterwards.
    let again = server.svc("logs flood --json --no-follow --tail all --grep ' [0-9]+$'")?;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(numbers(&self::lines(&again.stdout)?) == wanted);
    Ok(())
}

#[test]
fn a_container_that_restarts_or_is_made_anew_is_picked_up_again() -> Result<()> {
    let Some(server) = flood()? else { return Ok(()) };
    let script = "while :; do cat /proc/sys/kernel/random/uuid; sleep 0.01; done";
    let make = format!("{START}\nstart web --init --restart=always -- sh -c '{script}'");
    server.home.check(&make)?;
    let logs = server.home.spawn("svc logs flood --json --tail all")?;
    let grows = || -> Result<()> {
        let before = logs.stdout_so_far()?.lines().count();
        let comes = || Ok(logs.stdout_so_far()?.lines().count() > before + 20);
        ensure!(wait::until(LIMIT, comes)?, "nothing comes any more");
        Ok(())
    };
    grows()?;
    // By hand, by its policy, by another, and with the engine.
    let changes = [
        "docker restart flood-web-1",
        "docker kill flood-web-1 && docker start flood-web-1",
        "kill -9 $(docker inspect -f '{{.State.Pid}}' flood-web-1)",
        &format!("{STOP}; cp {LOG} /run/first; docker rm flood-web-1; {make}"),
        "systemctl restart docker.service",
    ];
    for change in changes {
        server.home.check(change)?;
        grows()?;
    }
    // Its last words are known when it has ended: then all must have come.
    let written = server.home.check(&format!("{STOP} > /dev/null; cat /run/first {LOG} | jq -j .log"))?;
    let last = written.lines().last().context("nothing was written")?;
    logs.wait_for_stdout(last, LIMIT)?;
    logs.signal(Signal::TERM)?;
    let ended = logs.wait_within(Duration::from_secs(10))?;
    assert_eq!(ended.code, 143, "{}", ended.stderr);
    let shown = lines(&ended.stdout)?;
    let shown: Vec<&str> = shown.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(shown, written.lines().collect::<Vec<_>>());
    Ok(())
}

#[test]
fn readers_come_and_go_as_they_like() -> Result<()> {
    let Some(server) = flood()? else { return Ok(()) };
    // Nothing is written any more, and svc ends all the same.
    let head = server.home.check("bash -o pipefail -c 'timeout 60 svc logs notes | head -1'")?;
    assert!(head.starts_with("notes | "), "{head}");
    // 30 MB, and a reader that stands still: neither grows svc, nor does it keep Ctrl-C from it.
    let fill = "yes \"$(head -c 1000 /dev/zero | tr '\\0' x)\" | head -n 30000";
    server.home.check(&format!("{START}\nstart a -- bash -c {}; docker wait flood-a-1", quoted(fill)))?;
    let script = "mkfifo still; exec 3<> still; svc logs flood --tail all > still & echo $!; wait $!";
    let still = server.home.program(["bash", "-c", script])?.spawn()?;
    let pid = wait::poll(LIMIT, || Ok(still.stdout_so_far()?.trim().parse::<u32>().ok()))?;
    let pid = pid.context("svc was not started")?;
    // `write` to its stdout.
    let writes = format!("cat /proc/{pid}/task/*/syscall | grep -q '^1 0x1 '");
    let stands = || Ok(server.home.run(&writes)?.code == 0);
    ensure!(wait::until(LIMIT, stands)?, "svc does not wait for its reader");
    let peak = server.home.check(&format!("awk '/VmHWM/ {{print $2}}' /proc/{pid}/status"))?;
    assert!(peak.trim().parse::<u64>()? < 64 * 1024, "{peak} KiB");
    server.home.check(&format!("kill -INT {pid}"))?;
    assert_eq!(still.wait_within(Duration::from_secs(10))?.code, 130);
    no_journalctl(&server)?;
    Ok(())
}

/// What svc started ends with it; the box's PID 1 may need a moment to bury it.
fn no_journalctl(server: &Homeserver) -> Result<()> {
    let is_gone = || Ok(server.home.run("pgrep -x journalctl")?.code != 0);
    ensure!(wait::until(LIMIT, is_gone)?, "a `journalctl` was left");
    Ok(())
}

/// As one word of a shell line.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[test]
fn units_and_containers_are_told_apart_and_what_is_away_is_named() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    let all = server.svc("logs paperless --no-follow --tail all")?;
    assert_eq!((all.code, all.stderr.as_str()), (0, ""));
    for start in ["paperless | ", "db        | ", "broker    | "] {
        assert!(all.stdout.lines().any(|line| line.starts_with(start)), "`{start}`:\n{}", all.stdout);
    }
    let five = server.svc("logs paperless --no-follow --tail 5")?;
    assert!(all.stdout.ends_with(&five.stdout) && five.stdout.lines().count() == 5, "{}", five.stdout);
    let none = server.svc("logs paperless --no-follow --since 0s")?;
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    let files = server.svc("logs music")?;
    assert_eq!((files.code, files.stdout.as_str()), (0, ""));
    assert_eq!(files.stderr, "`music` has data only: no logs\n");
    assert_eq!(server.svc("logs paperles")?.code, 2);

    server.home.check("systemctl stop docker.socket docker.service")?;
    let journal = server.svc("logs paperless --no-follow")?;
    assert_eq!(journal.code, 18, "{}", journal.stderr);
    assert!(journal.stderr.contains("Docker cannot be reached"), "{}", journal.stderr);
    assert!(journal.stdout.lines().all(|line| line.starts_with("paperless | ")), "{}", journal.stdout);
    assert!(journal.stdout.contains("Stopped docker-compose-paperless.service"), "{}", journal.stdout);
    let notes = server.svc("logs notes --no-follow")?;
    assert_eq!((notes.code, notes.stderr.as_str()), (0, ""));
    Ok(())
}
