//! A service with two containers and a unit, whose logs the test writes.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::config::{Config, Defaults, parse};
use crate::observe::parts;
use crate::outside::Outside;
use crate::restic::fake::FakeRestic;
use crate::scope::{Environment, Scope, ScopeKind};
use crate::testing::{FakeDocker, FakeSystemd, FakeUnit};

const CONFIG: &str = r#"{"services": {"shop": {"name": "shop", "units": ["shop.service"],
    "backup": {"enable": false, "volumes": ["shop_db"]}}}}"#;

/// Like the real one: entries of a file, `--follow`, `--after-cursor`, `--since`, and `--lines`.
const JOURNALCTL: &str = r#"#!/bin/sh
cd "${0%/*}" || exit 99
first=1 lines=all follow=
for word in "$@"; do
    case "$word" in
    --after-cursor=*) first=$((${word#*=} + 1)) ;;
    --lines=*) lines=${word#*=} ;;
    --follow) follow=-f ;;
    --output=json|--output-fields=*|--all|--no-pager|--no-tail|--unit=shop.service|--since=@*) ;;
    *) echo "unknown: $word" >&2; exit 2 ;;
    esac
done
[ "$lines" = all ] || first=$(($(wc -l < entries) - lines + 1))
[ "$first" -ge 1 ] || first=1
exec tail -n "+$first" $follow entries
"#;

/// Nothing in these tests takes longer.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) struct House {
    pub(super) docker: FakeDocker,
    config: Config,
    outside: Outside,
    dir: tempfile::TempDir,
}

/// A moment of the past.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

impl House {
    pub(super) fn new() -> Self {
        let docker = FakeDocker::new()
            .with(FakeContainer::compose("shop", "web").running())
            .with(FakeContainer::compose("shop", "db").running());
        let systemd = FakeSystemd::new().with(FakeUnit::new("shop.service").active());
        let defaults = Defaults::of(&Scope::system(&Environment::default()), "home");
        let config = parse(CONFIG.as_bytes(), &defaults).unwrap();
        let outside = Outside {
            systemd: Arc::new(systemd),
            docker: Arc::new(docker.clone()),
            restic: Arc::new(FakeRestic::default()),
            freezer: Arc::<crate::testing::FakeFreezer>::default(),
        };
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("entries"), "").unwrap();
        let house = Self { docker, config, outside, dir };
        house.put_program(JOURNALCTL);
        house
    }

    pub(super) fn program(&self) -> PathBuf {
        self.dir.path().join("journalctl")
    }

    fn put_program(&self, text: &str) {
        fs::write(self.program(), text).unwrap();
        fs::set_permissions(self.program(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// From now on `journalctl` does this instead.
    pub(super) fn break_journal(&self, line: &str) {
        self.put_program(&format!("#!/bin/sh\n{line}\n"));
    }

    /// The unit writes these.
    pub(super) fn journal(&self, entries: &[(i64, &str)]) {
        let path = self.dir.path().join("entries");
        let mut number = fs::read_to_string(&path).unwrap().lines().count();
        let mut text = String::new();
        for (second, message) in entries {
            number += 1;
            let micros = at(*second).as_microsecond();
            let fields = r#""_SYSTEMD_UNIT":"shop.service","PRIORITY":"6""#;
            writeln!(
                text,
                r#"{{"__CURSOR":"{number}","__REALTIME_TIMESTAMP":"{micros}",{fields},"MESSAGE":"{message}"}}"#
            )
            .unwrap();
        }
        OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Reads to the end.
    pub(super) async fn read(&self, request: &LogRequest) -> (Vec<String>, Code) {
        let mut reading = self.begin(request.clone()).await;
        let mut lines = Vec::new();
        while let Some(portion) = timeout(LIMIT, reading.told.recv()).await.unwrap() {
            lines.extend(portion.iter().map(text));
        }
        (lines, reading.task.await.unwrap())
    }

    /// Begins to read, and goes on.
    pub(super) async fn follow(&self, request: &LogRequest) -> Reading {
        self.begin(LogRequest { follow: true, ..request.clone() }).await
    }

    async fn begin(&self, request: LogRequest) -> Reading {
        let service = self.config.services.values().next().unwrap().clone();
        let seen = parts(&self.config, &self.outside, std::slice::from_ref(&service.name)).await;
        let sources = Sources::of(&service, &seen[0]);
        let path = "/usr/bin:/bin".into();
        let journal = Journal { program: self.program(), path, scope: ScopeKind::System };
        let systems = Systems { docker: Arc::clone(&self.outside.docker), journal, now: Timestamp::now };
        let (out, told) = mpsc::channel(1);
        let task = tokio::spawn(async move { read(&service, sources, &systems, &request, out).await });
        Reading { told, task, held: Vec::new() }
    }
}

/// A reading under way.
pub(super) struct Reading {
    told: mpsc::Receiver<Vec<Told>>,
    task: JoinHandle<Code>,
    held: Vec<String>,
}

impl Reading {
    /// The next lines, so many.
    pub(super) async fn next(&mut self, count: usize) -> Vec<String> {
        while self.held.len() < count {
            let portion = timeout(LIMIT, self.told.recv()).await.expect("nothing comes").expect("it ended");
            self.held.extend(portion.iter().map(text));
        }
        self.held.drain(..count).collect()
    }

    /// Nothing is left, and nothing comes for longer than a line may be held back.
    pub(super) async fn nothing_more(&mut self) {
        assert_eq!(self.held, [""; 0]);
        let more = timeout(super::merge::DELAY * 2, self.told.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }

    /// The reader goes.
    pub(super) fn close(self) -> JoinHandle<Code> {
        self.task
    }
}

fn text(told: &Told) -> String {
    match told {
        Told::Line(line) => format!("{} {}", line.source.label, line.message),
        Told::Note(failure) => format!("note: {}", failure.message),
    }
}
