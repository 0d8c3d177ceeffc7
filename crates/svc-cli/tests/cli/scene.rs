//! A user's world in a temporary directory: a configuration, a restic that says what it is told, and nothing else.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A restic that holds one snapshot and saves more. Files in its directory make it do otherwise: `FAIL` has the line that a
/// backup runs first, `BROKEN` the one of what looks after the repository, and `LOCK` is a lock in it.
const RESTIC: &str = r#"#!/bin/sh
cd "${0%/*}" || exit 99
care() { [ -e BROKEN ] && . ./BROKEN; }
case "$1" in
version) echo "restic 0.18.0 compiled with go1.24 on linux/amd64"; exit 0 ;;
cat) case " $* " in *" lock "*) cat LOCK; exit 0 ;; esac
    [ -e EMPTY ] && { echo "Fatal: repository does not exist" >&2; exit 10; }
    [ -e WRONG ] && { echo "Fatal: wrong password" >&2; exit 12; }
    echo '{"version":2,"id":"1111111111111111111111111111111111111111111111111111111111111111","chunker_polynomial":"25b468838dcb75"}'; exit 0 ;;
init) rm EMPTY; echo '{"message_type":"initialized","id":"2222222222222222222222222222222222222222222222222222222222222222","repository":"r"}'; exit 0 ;;
snapshots) cat snapshots.json; exit 0 ;;
backup) [ -e FAIL ] && . ./FAIL
    cat > /dev/null
    echo '{"message_type":"summary","files_new":3,"total_files_processed":3,"total_bytes_processed":30,"data_added":9,"data_added_packed":5,"snapshot_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}'
    exit 0 ;;
forget) case " $* " in *" --dry-run "*) cat forget.json ;; *) care ;; esac; exit 0 ;;
check) care; exit 0 ;;
prune) care; printf 'to repack:  0 blobs / 0 B\ntotal prune:    12 blobs / 1.500 KiB\nremaining:      7 blobs / 900 B\n'; exit 0 ;;
list) [ -e LOCK ] && echo cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc; exit 0 ;;
unlock) rm LOCK; exit 0 ;;
stats) care; echo '{"total_size":900,"total_uncompressed_size":2400,"snapshots_count":3}'; exit 0 ;;
ls) exit 0 ;;
esac
exit 98
"#;

const SNAPSHOTS: &str = r#"[{"id":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","time":"2026-11-01T02:00:00Z",
 "hostname":"home","tags":["svc:notes"],"paths":["/elsewhere"],"summary":{"total_files_processed":3,"total_bytes_processed":30}}]"#;

/// A user's world.
pub(crate) struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    /// One service, `notes`, with a few files and nothing to stop; one repository, `local`.
    pub(crate) fn new() -> Self {
        // Wrapped lines depend on the length of its name.
        let scene = Self { dir: tempfile::tempdir_in("/tmp").unwrap() };
        scene.write("notes/a", "one").write("notes/b", "two").write("secret", "canary");
        scene.write("bin/restic", RESTIC).write("bin/snapshots.json", SNAPSHOTS);
        for (path, mode) in [("bin/restic", 0o755), ("secret", 0o600)] {
            fs::set_permissions(scene.path(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let root = scene.dir.path().display();
        scene.write(
            "config/svc/services.json",
            &format!(
                r#"{{
  "host": "home",
  "repositories": {{"local": {{"repository": "{root}/repository", "passwordFile": "{root}/secret"}}}},
  "services": {{
    "notes": {{"name": "notes", "description": "what was thought",
              "backup": {{"enable": true, "needsServiceStopped": false, "paths": ["{root}/notes"]}}}},
    "idle": {{"name": "idle", "backup": {{"enable": false}}, "restore": {{"stopCompose": false}}}}
  }}
}}
"#
            ),
        );
        scene
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn write(&self, below: &str, text: &str) -> &Self {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn remove(&self, below: &str) -> &Self {
        let path = self.path(below);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        self
    }

    /// Runs svc in the user's scope: the line, its exit status and what it printed, without what differs from run to run.
    pub(crate) fn svc(&self, words: &[&str]) -> String {
        let output = self.output(words.iter().copied().chain(["--user"]));
        let quoted = |word: &&str| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() };
        let line: Vec<String> = words.iter().map(quoted).collect();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let code = output.status.code().unwrap();
        let told = format!("$ svc {}\nexit {code}\n--- stdout\n{out}--- stderr\n{err}", line.join(" "));
        clean(&told, self.dir.path())
    }

    /// Runs svc in the user's world and directory.
    pub(crate) fn output(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.command(words).output().unwrap()
    }

    /// svc in the user's world and directory.
    pub(crate) fn command(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let dir = self.dir.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_svc"));
        command
            .args(words)
            .current_dir(dir)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", dir.join("bin").display()))
            .env("HOME", dir)
            .env("XDG_CONFIG_HOME", dir.join("config"))
            .env("XDG_STATE_HOME", dir.join("state"))
            .env("XDG_CACHE_HOME", dir.join("cache"))
            .env("XDG_RUNTIME_DIR", dir)
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }
}

/// Strikes out the directory, times and what depends on them.
pub(crate) fn clean(text: &str, dir: &Path) -> String {
    let text = text.replace(&dir.display().to_string(), "/HOME");
    let rules = [
        (r"\b\d+(\.\d)? (ms|s|min)\b", "T"),
        (r#""(tookMs|pid)": ?\d+"#, "\"$1\":0"),
        (r"\d{8}T\d{6}-[0-9a-f]+", "RUN"),
        // A run's id is as long as its process's.
        (r"\b(run|RUN)  +", "$1  "),
        (r"\d{4}-\d\d-\d\d(T[0-9:.]+Z| [0-9:]+ UTC)", "WHEN"),
        (r"(RUN, began |RUN  | on )\d{4}-\d\d-\d\d( \d\d:\d\d)?", "${1}WHEN"),
        (r"\b\d+ (h|d) ago", "AGE"),
    ];
    rules.iter().fold(text, |text, (pattern, by)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *by).into_owned()
    })
}
