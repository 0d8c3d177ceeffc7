//! Files that are no configuration, through the whole program: refused whole and quickly, and nothing is touched.

use std::fs::File;
use std::time::{Duration, Instant};

use crate::scene::{Scene, clean};

const FILE: &str = "config/svc/services.json";
/// Broken files, and what is wrong with each: the decoder's own table.
const TABLE: &str = include_str!("../../../svc-core/tests/data/problems.txt");
/// A good file with everything in it.
const WHOLE: &str = include_str!("../../../svc-core/tests/data/services.full.json");
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

/// Has the program read a broken file, which it refuses whole: with each of these problems and what to type next.
fn assert_refused(scene: &Scene, file: &str, problems: &[&str]) {
    scene.write(FILE, file);
    let told = scene.svc(&["config", "check"]);
    assert!(told.contains("\nexit 6\n"), "{file}\n{told}");
    for problem in problems {
        let problem = clean(problem, &scene.path(""));
        // The hint stands in brackets in the table and beneath the message on the screen.
        let parts = problem.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")).map(|(a, b)| [a, b]);
        let parts = parts.unwrap_or([problem.as_str(), ""]);
        assert!(parts.iter().all(|part| told.contains(part)), "{file}\n{parts:?} is not in\n{told}");
    }
    assert!(told.lines().last().unwrap().starts_with("hint: svc config check"), "{told}");
}

/// All broken files of the table: those that are no JSON, and those that are.
fn broken(is_json: bool) -> impl Iterator<Item = (String, Vec<&'static str>)> {
    let is_wanted = move |file: &str| serde_json::from_str::<serde_json::Value>(file).is_ok() == is_json;
    let cases = TABLE.split("## ").skip(1).map(case);
    cases.filter(move |(file, problems)| !problems.is_empty() && is_wanted(file))
}

/// No verb of a broken configuration does anything.
fn assert_untouched(scene: &Scene) {
    assert!(scene.svc(&["backup", "local", "notes"]).contains("\nexit 6\n"));
    assert!(!scene.path("state").exists(), "something was written");
}

#[test]
fn fault_38_every_file_that_is_no_json_is_refused_whole_with_place_and_hint() {
    let scene = Scene::new();
    let mut seen = 0;
    for (file, problems) in broken(false) {
        assert_refused(&scene, &file, &problems);
        seen += 1;
    }
    // A good file that was cut off: after each of many bytes.
    let lines = |text: &str| text.matches('\n').count() + 1;
    for end in (1..WHOLE.trim_end().len()).step_by(WHOLE.len() / 40) {
        let cut = WHOLE[..end].trim_end();
        assert_refused(&scene, cut, &[&format!(":{}:", lines(cut)), "was it cut off?"]);
        seen += 1;
    }
    assert!(seen >= 50, "only {seen} broken files");
    assert_untouched(&scene);
}

#[test]
fn fault_39_every_file_that_is_no_configuration_is_refused_whole_with_place_and_hint() {
    let scene = Scene::new();
    let mut seen = 0;
    for (file, problems) in broken(true) {
        assert_refused(&scene, &file, &problems);
        seen += 1;
    }
    assert!(seen >= 40, "only {seen} broken files");
    for word in ["unknown key", "a second time", "there is no repository", "differs from", "did you mean"] {
        assert!(TABLE.contains(word), "no file has `{word}`");
    }
    assert_untouched(&scene);
}

#[test]
fn fault_38_a_huge_file_and_a_bottomless_one_are_refused_quickly() {
    let scene = Scene::new();
    let began = Instant::now();
    let check = || {
        let told = scene.svc(&["config", "check"]);
        assert!(told.contains("\nexit 6\n"), "{told}");
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
