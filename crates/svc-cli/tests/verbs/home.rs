//! A machine of the test's own, and the logs of runs on it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use assert_cmd::Command;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

const SERVICES: &str = r#"{
  "host": "home",
  "paths": {"stateDir": "[home]/state", "cacheDir": "[home]/cache"},
  "docker": {"socket": "[home]/docker.sock"},
  "repositories": {"local": {"repository": "[home]/restic", "passwordFile": "[home]/password"}},
  "services": {
    "notes": {"units": ["notes.service"], "backup": {"enable": true, "paths": ["[home]/notes"]}},
    "music": {"backup": {"enable": true, "needsServiceStopped": false, "paths": ["[home]/music"]}}
  }
}"#;

/// A machine with a configuration, and nothing that answers.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        // Its name is as long on every machine: it decides where lines break.
        let home = Self { dir: tempfile::Builder::new().prefix("svc-").tempdir_in("/tmp").unwrap() };
        home.configure(SERVICES);
        for source in ["notes", "music"] {
            fs::create_dir(home.path(source)).unwrap();
        }
        home
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str, mode: u32) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("[home]", self.dir.path().to_str().unwrap())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn configure(&self, text: &str) {
        self.write("services.json", text, 0o644);
    }

    /// A restic that knows one repository.
    pub(crate) fn restic(&self) {
        let script = "#!/bin/sh\ncase $1 in\n\
            version) echo 'restic 0.18.0 compiled with go1.24' ;;\n\
            cat) echo '{\"version\": 2, \"id\": \"4f1c9a2b\"}' ;;\n\
            esac\n";
        self.write("bin/restic", script, 0o755);
        self.write("password", "secret\n", 0o600);
    }

    /// A service's record with a good backup so long ago, and perhaps a failed one since.
    pub(crate) fn record(&self, service: &str, good_hours: i64, failed: Option<&str>) {
        let at = |hours: i64| Timestamp::now() - SignedDuration::from_hours(hours);
        let good = serde_json::json!({
            "run": "r1", "at": at(good_hours), "code": "ok", "snapshot": "4f1c9a2b".repeat(8),
            "counts": {"files": 12400, "bytes": 3_000_000_000_u64}, "added": 32_505_856, "tookMs": 48_000, "downtimeMs": 39_000
        });
        let last = failed.map_or(good.clone(), |run| {
            serde_json::json!({"run": run, "at": at(1), "code": "unreachable", "snapshot": null,
                "counts": null, "added": null, "tookMs": 900, "downtimeMs": null})
        });
        let record = serde_json::json!({"backups": {"local": {"lastGood": good, "lastAttempt": last}}});
        self.write(&format!("state/records/{service}.json"), &record.to_string(), 0o644);
    }

    /// A run's log.
    pub(crate) fn run(&self, id: &str, events: &[serde_json::Value]) {
        let line = |(seq, event): (usize, &serde_json::Value)| {
            let mut event = event.clone();
            let stamp = serde_json::json!({"seq": seq, "at": "2026-11-20T09:00:00Z", "run": id});
            event.as_object_mut().unwrap().extend(stamp.as_object().unwrap().clone());
            format!("{event}\n")
        };
        let text: String = events.iter().enumerate().map(line).collect();
        self.write(&format!("state/runs/{id}/log.jsonl"), &text, 0o640);
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::cargo_bin("svc").unwrap();
        command.env_clear().current_dir(self.dir.path());
        command.env("SVC_CONFIG", self.path("services.json")).env("TZ", "UTC").env("HOME", self.dir.path());
        command.env("PATH", self.path("bin"));
        command.env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", self.path("bus").display()));
        command.args(line.split_whitespace());
        command
    }

    /// What a line does: its exit code, stdout and stderr; the machine's directory shows as `[home]`.
    pub(crate) fn svc(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(self.dir.path().to_str().unwrap(), "[home]")
        };
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code().unwrap();
        format!("exit {code}\n--- stdout\n{out}--- stderr\n{err}")
    }
}

/// A backup of `notes` begins.
pub(crate) fn started(verb: &str) -> serde_json::Value {
    let goal = serde_json::json!({"verb": verb, "repositories": ["local"], "services": ["notes"]});
    let service = serde_json::json!({"service": "notes", "group": 0, "steps": []});
    serde_json::json!({"event": "runStarted", "version": "0.1.0", "pid": 1, "plan": {
        "goal": goal, "madeAt": "2026-11-20T09:00:00Z", "jobs": 1, "services": [service]}})
}

pub(crate) fn service_started() -> serde_json::Value {
    serde_json::json!({"event": "serviceStarted", "service": "notes"})
}

/// Its unit goes down for it.
pub(crate) fn stopped() -> Vec<serde_json::Value> {
    let unit = serde_json::json!({"unit": "notes.service"});
    vec![
        serde_json::json!({"event": "priorState", "service": "notes", "running": [unit]}),
        serde_json::json!({"event": "stepStarted", "service": "notes", "index": 1,
            "step": {"do": "stop", "targets": [unit]}}),
        serde_json::json!({"event": "stopped", "service": "notes", "target": unit}),
    ]
}

/// It ends.
pub(crate) fn finished(code: &str, failure: Option<&str>) -> Vec<serde_json::Value> {
    let failures: Vec<_> =
        failure.iter().map(|message| serde_json::json!({"code": code, "message": message})).collect();
    let service = serde_json::json!({"service": "notes", "code": code, "failures": failures,
        "downtimeMs": 700, "tookMs": 5200});
    let report =
        serde_json::json!({"code": code, "verb": "backup", "tookMs": 5200, "services": [service.clone()]});
    vec![
        serde_json::json!({"event": "serviceFinished", "report": service}),
        serde_json::json!({"event": "runFinished", "report": report}),
    ]
}
