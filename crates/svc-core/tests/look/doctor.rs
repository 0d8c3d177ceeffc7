//! What stands in the way, each with its fix.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use svc_core::code::Code;
use svc_core::docker::Volume;
use svc_core::doctor::{Diagnosis, Finding, Grade, diagnose};
use svc_core::restic::SecretWarning;
use svc_core::restic::fake::Fault;
use svc_core::restic::fake::{FakeRepository, FakeRestic};
use svc_core::restic::{ResticError, ResticFailure};
use svc_core::testing::{FakeDocker, FakeSystemd, FakeUnit};
use tempfile::TempDir;

use crate::stage::{config, noon, outside, scope};

/// A machine on which nothing is in the way, until something is.
struct Machine {
    dir: TempDir,
    systemd: FakeSystemd,
    docker: FakeDocker,
    text: String,
    secrets: Vec<SecretWarning>,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("data/notes")).unwrap();
        let text = format!(
            r#"{{"repositories": {{"local": {{}}}}, "services": {{"notes": {{"units": ["notes.service"],
                "backup": {{"enable": true, "paths": ["{}/data/notes"]}}}}}}}}"#,
            dir.path().display()
        );
        let systemd = FakeSystemd::new()
            .with(FakeUnit::new("notes.service").active())
            .with(FakeUnit::timer("svc-backup@local.timer", Some(noon())));
        Self { dir, systemd, docker: FakeDocker::new(), text, secrets: Vec::new() }
    }

    fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    async fn diagnose(&self, restic: FakeRestic) -> Diagnosis {
        let outside = outside(&self.systemd, &self.docker, restic);
        diagnose(&config(&self.text), &scope(&self.state()), &outside, &self.secrets, noon()).await
    }

    /// What is not as it should be.
    async fn findings(&self, restic: FakeRestic) -> (Code, Vec<Finding>) {
        let Diagnosis { code, findings, .. } = self.diagnose(restic).await;
        (code, findings.into_iter().filter(|finding| finding.grade > Grade::Skipped).collect())
    }

    /// The only thing that is not.
    async fn finding(&self, restic: FakeRestic) -> (Code, Finding) {
        let (code, mut findings) = self.findings(restic).await;
        assert_eq!(findings.len(), 1, "{findings:#?}");
        (code, findings.remove(0))
    }
}

fn restic() -> FakeRestic {
    FakeRestic::new().repository(&"local".parse().unwrap(), FakeRepository::new("1d"))
}

fn fix(finding: &Finding) -> &str {
    finding.fix.as_deref().unwrap()
}

#[tokio::test]
async fn a_machine_without_faults_has_nothing_in_the_way() {
    let diagnosis = Machine::new().diagnose(restic()).await;
    assert_eq!(diagnosis.code, Code::Ok, "{diagnosis:#?}");
    assert!(diagnosis.findings.iter().all(|finding| finding.grade <= Grade::Skipped), "{diagnosis:#?}");
    let checks: Vec<&str> = diagnosis.findings.iter().map(|finding| finding.check.as_str()).collect();
    let all =
        ["configuration", "restic", "systemd", "docker", "repository local", "state", "timer for local"];
    assert!(all.iter().all(|check| checks.contains(check)), "{checks:?}");
}

#[tokio::test]
async fn a_missing_restic_is_told_once() {
    let restic = restic();
    restic.version_fault(1, Fault::Error(ResticError::Missing { program: "restic".to_owned() }));
    restic.version_fault(2, Fault::Error(ResticError::Missing { program: "restic".to_owned() }));
    let repository = ResticError::Missing { program: "restic".to_owned() };
    restic.fault(svc_core::restic::Verb::Cat, &"local".parse().unwrap(), 1, Fault::Error(repository));
    let (code, finding) = Machine::new().finding(restic).await;
    assert_eq!((code, finding.check.as_str()), (Code::Unhealthy, "restic"));
    assert!(fix(&finding).starts_with("install restic"), "{finding:?}");
}

#[tokio::test]
async fn a_repository_says_what_keeps_it_closed() {
    for (failure, expected) in [
        (ResticFailure::NoRepository, Some("svc repo init local")),
        (ResticFailure::WrongPassword, None),
        (ResticFailure::Unreachable, None),
    ] {
        let closed = FakeRepository::new("1d").closed(failure);
        let restic = FakeRestic::new().repository(&"local".parse().unwrap(), closed);
        let (code, finding) = Machine::new().finding(restic).await;
        assert_eq!((code, finding.check.as_str()), (Code::Unhealthy, "repository local"), "{failure:?}");
        if let Some(expected) = expected {
            assert_eq!(fix(&finding), expected);
        }
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_with_what_to_do() {
    for (file, check) in [("notes.json", "service notes"), ("repositories/local.json", "repository local")] {
        let machine = Machine::new();
        let file = machine.state().join("records").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "{torn").unwrap();
        let (code, finding) = machine.finding(restic()).await;
        assert_eq!((code, finding.check.as_str()), (Code::Unhealthy, check));
        assert!(finding.said.contains(file.to_str().unwrap()), "{finding:?}");
        assert!(fix(&finding).starts_with("ls -l "), "{finding:?}");
    }
}

#[tokio::test]
async fn another_repository_at_the_place_of_a_pinned_one_is_a_problem() {
    let mut machine = Machine::new();
    let pinned = format!(r#""local": {{"id": "{}"}}"#, "ab".repeat(32));
    machine.text = machine.text.replace(r#""local": {}"#, &pinned);
    let (code, finding) = machine.finding(restic()).await;
    assert_eq!(code, Code::Unhealthy);
    assert!(finding.said.contains("another repository"), "{finding:?}");
}

#[tokio::test]
async fn timers_must_be_there_and_come_back_after_a_boot() {
    let timer = || FakeUnit::timer("svc-backup@local.timer", Some(noon()));
    for (unit, grade, command) in [
        (Some(timer().disabled()), Grade::Warning, "systemctl --user enable svc-backup@local.timer"),
        (Some(timer().inactive()), Grade::Problem, "systemctl --user enable --now svc-backup@local.timer"),
        // There is nothing to enable.
        (
            None,
            Grade::Problem,
            "install svc's units (see the README), then: systemctl --user enable --now svc-backup@local.timer",
        ),
    ] {
        let machine = Machine::new();
        machine.systemd.remove("svc-backup@local.timer");
        if let Some(unit) = unit {
            machine.systemd.add(unit);
        }
        let (_, finding) = machine.finding(restic()).await;
        assert_eq!((finding.grade, fix(&finding)), (grade, command));
    }
}

#[tokio::test]
async fn what_the_next_backup_would_miss_is_a_problem_today() {
    let mut machine = Machine::new();
    machine.docker.add_volume(Volume {
        name: "shop_db".parse().unwrap(),
        driver: "local".to_owned(),
        mountpoint: "/volumes/shop_db".into(),
        options: BTreeMap::new(),
        labels: BTreeMap::new(),
    });
    machine.text = machine.text.replace(r#""paths":"#, r#""volumes": ["db"], "paths":"#);
    fs::remove_dir(machine.dir.path().join("data/notes")).unwrap();
    let (code, findings) = machine.findings(restic()).await;
    assert_eq!(code, Code::Unhealthy);
    let told: Vec<_> = findings.iter().map(|finding| (finding.check.as_str(), fix(finding))).collect();
    assert_eq!(
        told,
        [
            ("service notes", "mend `services.notes.backup`: did you mean `shop_db`?"),
            ("service notes", "bring it back, or mend `services.notes.backup`")
        ]
    );
}

#[tokio::test]
async fn a_unit_that_nobody_has_is_a_problem() {
    let machine = Machine::new();
    machine.systemd.remove("notes.service");
    let (code, finding) = machine.finding(restic()).await;
    assert_eq!((code, finding.said.as_str()), (Code::Unhealthy, "its unit `notes.service` does not exist"));
}

#[tokio::test]
async fn docker_matters_only_where_a_service_needs_it() {
    let mut machine = Machine::new();
    machine.docker.set_reachable(false);
    assert_eq!(machine.diagnose(restic()).await.code, Code::Ok);
    machine.text = machine.text.replace(r#""paths":"#, r#""volumes": ["db"], "paths":"#);
    let (code, finding) = machine.finding(restic()).await;
    assert_eq!((code, finding.check.as_str()), (Code::Unhealthy, "docker"));
}

#[tokio::test]
async fn secret_files_are_looked_at_also_those_of_hooks() {
    let mut machine = Machine::new();
    machine.secrets.push(SecretWarning { text: "odd".to_owned(), fix: "mend it".to_owned() });
    let file = machine.dir.path().join("hook.env");
    fs::write(&file, "A=b\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let hooks =
        format!(r#""hooks": {{"pre": [{{"command": ["a"], "envFile": "{}"}}]}}, "paths":"#, file.display());
    machine.text = machine.text.replace(r#""paths":"#, &hooks);
    let (code, findings) = machine.findings(restic()).await;
    assert_eq!(code, Code::Unhealthy);
    assert_eq!((findings[0].grade, fix(&findings[0])), (Grade::Warning, "mend it"));
    assert_eq!(fix(&findings[1]), format!("chmod 0600 {}", file.display()));
}

#[tokio::test]
async fn a_stage_that_nobody_knows_is_named_and_nothing_else_beside_it() {
    let machine = Machine::new();
    let stages = machine.state().join("stages");
    fs::create_dir_all(stages.join(".svc-stage-notes-20261101")).unwrap();
    fs::create_dir_all(stages.join("other")).unwrap();
    let (code, finding) = machine.finding(restic()).await;
    assert_eq!((code, finding.grade), (Code::Ok, Grade::Warning));
    assert!(finding.said.contains(".svc-stage-notes-20261101"), "{finding:?}");

    let replaced = format!(
        r#"{{"replaced": {{"run": "r1", "at": "2026-11-01T00:00:00Z", "stages": ["{}"], "trees": []}}}}"#,
        stages.join(".svc-stage-notes-20261101").display()
    );
    let records = machine.state().join("records");
    fs::create_dir_all(&records).unwrap();
    fs::write(records.join("notes.json"), replaced).unwrap();
    assert_eq!(machine.findings(restic()).await.1, []);
}

/// What is said of svc's own directory when it is there.
async fn about_state(machine: &Machine, state: &Path) -> Finding {
    let outside = outside(&machine.systemd, &machine.docker, restic());
    let diagnosis = diagnose(&config(&machine.text), &scope(state), &outside, &[], noon()).await;
    assert_eq!(diagnosis.code, Code::Unhealthy);
    let mut problems = diagnosis.findings.into_iter().filter(|finding| finding.grade == Grade::Problem);
    problems.find(|finding| finding.check == "state").unwrap()
}

#[tokio::test]
async fn a_state_directory_without_room_or_below_a_file_is_a_problem() {
    let machine = Machine::new();
    // Of no size at all.
    let full = about_state(&machine, Path::new("/proc/svc")).await;
    assert_eq!((full.check.as_str(), full.said.as_str()), ("state", "`/proc/svc` has 0 MiB free"));
    let file = machine.dir.path().join("file");
    fs::write(&file, "").unwrap();
    let closed = about_state(&machine, &file.join("svc")).await;
    assert!(closed.said.ends_with("cannot be written"), "{closed:?}");
}
