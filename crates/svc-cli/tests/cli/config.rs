//! What `svc config check` and every other verb say of a configuration.

use insta::assert_snapshot;

use crate::scene::Scene;

const FILE: &str = "config/svc/services.json";

#[test]
fn a_good_configuration_is_said_to_be_good() {
    let scene = Scene::new();
    assert_snapshot!("good", scene.svc(&["config", "check"]));
    assert_snapshot!("good_json", scene.svc(&["config", "check", "--json"]));
}

#[test]
fn the_configuration_is_shown_with_where_each_value_comes_from() {
    assert_snapshot!("show", Scene::new().svc(&["config", "show"]));
}

#[test]
fn documents_that_are_in_the_tree_are_printed_as_they_are_there() {
    let scene = Scene::new();
    let schema = include_str!("../../../../docs/schema/services.json");
    assert_snapshot!(
        "schema",
        scene.svc(&["config", "schema"]).replace(schema, "[docs/schema/services.json]\n")
    );
    let page = include_str!("../../../../docs/man/svc.1");
    assert_snapshot!("man", scene.svc(&["man"]).replace(page, "[docs/man/svc.1]\n"));
    assert_snapshot!("man_pages", scene.svc(&["man", &scene.path("man").display().to_string()]));
    assert!(scene.path("man/svc.1").exists() && scene.path("man/svc-repo-init.1").exists());
}

/// The first JSON object that stands at the left edge of a text, or behind its code's four blanks.
fn object(text: &str, indent: &str) -> String {
    let (open, close) = (format!("{indent}{{"), format!("{indent}}}"));
    let mut lines: Vec<&str> = text.lines().skip_while(|line| **line != open).collect();
    lines.truncate(lines.iter().position(|line| **line == close).unwrap() + 1);
    lines.join("\n")
}

#[test]
fn the_configurations_to_begin_with_are_good() {
    let scene = Scene::new();
    let readme = include_str!("../../../../README.md");
    let sample = scene.svc(&["list", "-c", "none.json"]);
    for text in [object(readme, "    "), object(&sample, "")] {
        scene.write(FILE, &text);
        let told = scene.svc(&["config", "check"]);
        assert!(told.contains("\nexit 0\n") && told.ends_with("--- stderr\n"), "{text}\n{told}");
    }
}

#[test]
fn every_problem_is_named_with_its_place() {
    let scene = Scene::new();
    scene.write(
        FILE,
        "{\n  \"services\": {\n    \"a\": {\"name\": \"b\", \"bakup\": {}}\n  },\n  \"services\": 1\n}\n",
    );
    assert_snapshot!("problems", scene.svc(&["config", "check"]));
    assert_snapshot!("problems_json", scene.svc(&["list", "--json"]));
}

#[test]
fn without_a_configuration_there_is_a_sample_to_begin_with() {
    let scene = Scene::new();
    scene.remove(FILE);
    assert_snapshot!("missing", scene.svc(&["list"]));
    assert_snapshot!("a_directory", scene.svc(&["list", "-c", "/"]));
}
