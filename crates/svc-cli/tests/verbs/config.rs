//! `svc config`.

use insta::assert_snapshot;

use crate::home::Home;

const BROKEN: &str = r#"{
  "hots": "a",
  "services": {
    "notes": {"units": "notes.service", "backup": {"enabel": true, "paths": ["rel"], "repositories": ["lokal"]}}
  }
}"#;

const SMALL: &str = r#"{
  "host": "home",
  "repositories": {"local": {"repository": "/srv/restic", "passwordFile": "/etc/password"}},
  "notifications": [{"url": "https://ntfy.example/very-secret"}],
  "services": {
    "notes": {"backup": {"enable": true, "needsServiceStopped": false, "paths": ["/srv/notes"],
                         "hooks": {"pre": [{"command": ["dump"], "env": {"PGPASSWORD": "hunter2"}}]}}}
  }
}"#;

#[test]
fn check_says_what_it_read() {
    assert_snapshot!(Home::new().svc("config check"), @r"
    exit 0
    --- stdout
    `[home]/services.json` is good: 2 services, 1 repository
    --- stderr
    ");
}

#[test]
fn check_names_every_problem_with_place_and_hint() {
    let home = Home::new();
    home.configure(BROKEN);
    assert_snapshot!(home.svc("config check"), @r#"
    exit 6
    --- stdout
    --- stderr
    error: [home]/services.json:2:3: hots: unknown key `hots`
      did you mean `host`?
    error: [home]/services.json:4:24: services.notes.units: a list belongs here, not a text
      put it in brackets: `["notes.service"]`
    error: [home]/services.json:4:52: services.notes.backup.enabel: unknown key `enabel`
      did you mean `enable`?
    error: [home]/services.json:4:78: services.notes.backup.paths[0]: this path is not absolute
      begin it with `/`
    error: [home]/services.json:4:103: services.notes.backup.repositories[0]: there is no repository `lokal`
      did you mean `local`?
    error: `[home]/services.json` has 5 problems
    hint: svc config check -c [home]/services.json
    "#);
}

#[test]
fn check_as_json_has_every_problem_as_a_value() {
    let home = Home::new();
    home.configure(BROKEN);
    let output = home.command("config check --json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["problems"].as_array().unwrap().len(), output.status.code()), (5, Some(6)));
    assert_eq!(document["problems"][0]["hint"], "did you mean `host`?");
}

#[test]
fn check_warns_of_what_is_odd_and_takes_the_file_all_the_same() {
    let home = Home::new();
    home.configure(r#"{"services": {"a": {"units": ["a.service", "a.service"]}}}"#);
    assert_snapshot!(home.svc("config check"), @r"
    exit 0
    --- stdout
    `[home]/services.json` is good: 1 service, 2 repositories
    --- stderr
    warning: [home]/services.json:1:44: services.a.units[1]: this is listed a second time
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a configuration is long")]
fn show_tells_where_each_value_comes_from_and_no_secret() {
    let home = Home::new();
    home.configure(SMALL);
    assert_snapshot!(home.svc("config show"), @r"
    exit 0
    --- stdout
    from [home]/services.json: line:column

      key                                   value                          from
      schemaVersion                         1                              default
      host                                  home                           2:11
      paths
        secretsRoot                         /var/lib/secrets               default
        deployRoot                          /var/lib/docker-services       default
        stateDir                            /var/lib/svc                   default
        cacheDir                            /var/cache/svc                 default
      docker
        socket                              /run/docker.sock               default
      limits
        nice                                10                             default
        ioClass                             best-effort                    default
        ioPriority                          7                              default
      repositories.local
        repository                          /srv/restic                    3:44
        passwordFile                        /etc/password                  3:75
        checkSubsets                        12                             default
        maxAge                              26h                            default
      services.notes
        name                                notes                          6:14
        compose.project                     notes                          name
        health.timeout                      2m                             default
        backup.enable                       true                           6:36
        backup.paths                        /srv/notes                     6:81
        backup.tags                         notes                          name
        backup.quiesce                      none                           6:65
        backup.stopVia                      auto                           default
        backup.freeze                       auto                           default
        backup.hooks.pre[0].command         dump                           7:56
        backup.hooks.pre[0].in              host                           default
        backup.hooks.pre[0].timeout         1m                             default
        backup.hooks.pre[0].env.PGPASSWORD  (hidden)                       7:88
        backup.minFiles                     1                              default
        backup.maxShrinkPercent             50                             default
        restore.paths                       /srv/notes                     backup.paths
        restore.stopCompose                 true                           default
        restore.target                      /                              default
        restore.preseed.allowEmpty          false                          default
      notifications[0]
        on                                  failure, overdue               default
        url                                 https://ntfy.example/(hidden)  4:29
    --- stderr
    ");
    let json = home.svc("config show --json -v");
    assert!(!json.contains("hunter2") && !json.contains("very-secret"), "{json}");
}

#[test]
fn show_refuses_a_broken_file() {
    let home = Home::new();
    home.configure(BROKEN);
    assert_snapshot!(home.svc("config show"), @r#"
    exit 6
    --- stdout
    --- stderr
    error: `[home]/services.json` has 5 problems
    caused by: 2:3: hots: unknown key `hots` (did you mean `host`?)
    caused by: 4:24: services.notes.units: a list belongs here, not a text (put it in brackets: `["notes.service"]`)
    caused by: 4:52: services.notes.backup.enabel: unknown key `enabel` (did you mean `enable`?)
    caused by: 4:78: services.notes.backup.paths[0]: this path is not absolute (begin it with `/`)
    caused by: 4:103: services.notes.backup.repositories[0]: there is no repository `lokal` (did you mean `local`?)
    hint: svc config check -c [home]/services.json
    "#);
}

#[test]
fn a_file_that_is_none_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path("dir")).unwrap();
    assert_snapshot!(home.svc("config check -c dir"), @r"
    exit 6
    --- stdout
    --- stderr
    error: `[home]/dir` is not a regular file
    hint: svc config check -c [home]/dir
    ");
    assert_snapshot!(home.svc("config"), @r"
    exit 2
    --- stdout
    --- stderr
    error: 'svc config' requires a subcommand but one was not provided
      [subcommands: check, show, schema]

    Usage: svc config [OPTIONS] <COMMAND>

    hint: svc config --help
    ");
}

#[test]
fn the_schema_is_one_document_without_any_file() {
    let output = Home::new().command("config schema -c none.json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["title"].as_str(), output.status.code()), (Some("services.json"), Some(0)));
}
