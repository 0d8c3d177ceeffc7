//! Files that are no configuration, through the whole program: refused whole and quickly, and nothing is touched.

use std::fs::File;
use std::time::{Duration, Instant};

use crate::scene::{Scene, clean};

const FILE: &str = "config/svc/services.json";
/// Broken files, and what is wrong with each: the decoder's own table.
const TABLE: &str = include_str!("../../../svc-core/tests/data/problems.txt");
/// Reading everything would take longer; so would giving each of many brackets a place on the stack.
const QUICKLY: Duration = Duration::from_secs(5);

/// A broken file, and the lines that say what is wrong with it; none: only warnings.
fn case(text: &str) -> (String, Vec<&str>) {
    let (name, rest) = text.split_once('\n').unwrap();
    let (file, told) = rest.split_at(rest.find("\n=>").unwrap() + 1);
    let file = file.trim_end_matches('\n').to_owned();
    let file =
        if name.starts_with("* ") { format!("{{\"services\": {{\"a\": {{\n{file}\n}}}}}}") } else { file };
    let problems = told.lines().filter_map(|line| line.strip_prefix("=> "));
    (file, problems.filter(|line| !line.starts_with("warning: ")).collect())
}

#[test]
fn fault_38_39_every_broken_file_is_refused_whole_with_place_and_hint() {
    let scene = Scene::new();
    let broken = TABLE.split("## ").skip(1).map(case).filter(|(_, problems)| !problems.is_empty());
    let mut seen = 0;
    for (file, problems) in broken {
        scene.write(FILE, &file);
        let told = scene.svc(&["config", "check"]);
        assert!(told.starts_with("exit 6\n"), "{file}\n{told}");
        for problem in problems {
            let problem = clean(problem, &scene.path(""));
            // The hint stands in brackets in the table and beneath the message on the screen.
            let parts =
                problem.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")).map(|(a, b)| [a, b]);
            let parts = parts.unwrap_or([problem.as_str(), ""]);
            assert!(parts.iter().all(|part| told.contains(part)), "{file}\n{parts:?} is not in\n{told}");
        }
        seen += 1;
    }
    assert!(seen >= 40, "only {seen} broken files");
    assert!(scene.svc(&["backup", "local", "notes"]).starts_with("exit 6\n"));
    assert!(!scene.path("state").exists(), "something was written");
}

#[test]
fn fault_38_a_huge_file_and_a_bottomless_one_are_refused_quickly() {
    let scene = Scene::new();
    let began = Instant::now();
    let check = || {
        let told = scene.svc(&["config", "check"]);
        assert!(told.starts_with("exit 6\n"), "{told}");
        told
    };
    File::create(scene.path(FILE)).unwrap().set_len(1 << 30).unwrap();
    assert!(check().contains("16 MiB"));
    for brackets in ["[", "{\"services\":"] {
        scene.write(FILE, &brackets.repeat(100_000));
        assert!(check().contains("nested deeper than"));
    }
    assert!(began.elapsed() < QUICKLY, "{:?}", began.elapsed());
}
