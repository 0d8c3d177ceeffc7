use indexmap::IndexMap;

use super::*;
use crate::config::Period;

fn repository() -> Repository {
    Repository {
        location: None,
        password: None,
        environment_file: None,
        id: None,
        mount_point: None,
        options: IndexMap::new(),
        limit_upload: None,
        limit_download: None,
        check_subsets: 12,
        max_age: Period::seconds(3600),
    }
}

fn variables(list: &[(&str, &str)]) -> Vec<(String, Secret)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned()))).collect()
}

fn access(repository: &Repository, list: &[(&str, &str)]) -> Result<RepositoryAccess, ResticError> {
    RepositoryAccess::new(&"local".parse().unwrap(), repository, variables(list))
}

fn values(access: &RepositoryAccess) -> Vec<(&str, &str)> {
    access.variables().iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

#[test]
fn the_environment_file_may_say_it_all() {
    let list = [("RESTIC_REPOSITORY", "/r"), ("RESTIC_PASSWORD_COMMAND", "pass x"), ("AWS_REGION", "eu")];
    assert_eq!(values(&access(&repository(), &list).unwrap()), list);
}

#[test]
fn services_json_wins_over_the_environment_file() {
    let repository = Repository {
        location: Some(Location::RepositoryFile("/place".into())),
        password: Some(Password::PasswordFile("/pw".into())),
        ..repository()
    };
    let list =
        [("RESTIC_REPOSITORY", "/old"), ("RESTIC_PASSWORD", "old"), ("RESTIC_PASSWORD_COMMAND", "old")];
    let access = access(&repository, &list).unwrap();
    assert_eq!(values(&access), [("RESTIC_REPOSITORY_FILE", "/place"), ("RESTIC_PASSWORD_FILE", "/pw")]);
}

#[test]
fn a_host_of_the_environment_hides_no_snapshots() {
    let list = [("RESTIC_REPOSITORY", "/r"), ("RESTIC_PASSWORD", "p"), ("RESTIC_HOST", "elsewhere")];
    let access = access(&repository(), &list).unwrap();
    assert_eq!(values(&access), [("RESTIC_REPOSITORY", "/r"), ("RESTIC_PASSWORD", "p")]);
}

#[test]
fn options_and_limits_become_single_arguments() {
    let options = IndexMap::from([("sftp.args".to_owned(), "-i /key -x".to_owned())]);
    let repository = Repository { options, limit_upload: Some(7), limit_download: Some(9), ..repository() };
    let access = access(&repository, &[("RESTIC_REPOSITORY", "/r"), ("RESTIC_PASSWORD", "p")]).unwrap();
    assert_eq!(
        access.arguments(),
        ["--option=sftp.args=-i /key -x", "--limit-upload=7", "--limit-download=9"]
    );
}

#[test]
fn what_is_missing_or_said_twice_is_told() {
    for (list, words) in [
        (&[("RESTIC_PASSWORD", "p")][..], "nothing says where it is"),
        (&[("RESTIC_REPOSITORY", "/r"), ("RESTIC_PASSWORD", "")], "nothing says what its password is"),
        (
            &[("RESTIC_REPOSITORY", "/r"), ("RESTIC_REPOSITORY_FILE", "/f"), ("RESTIC_PASSWORD", "p")],
            "says where it is twice",
        ),
    ] {
        let error = access(&repository(), list).unwrap_err();
        assert!(
            matches!(&error, ResticError::Settings { .. }) && error.to_string().contains(words),
            "{error}"
        );
    }
}

#[test]
fn only_what_is_known_to_be_harmless_stays_readable() {
    let list = [
        ("RESTIC_REPOSITORY", "rest:https://me:canary1@host/"),
        ("RESTIC_PASSWORD", "canary2"),
        ("B2_ACCOUNT_KEY", "canary3"),
        ("RESTIC_CACHE_DIR", "/cache"),
    ];
    let access = access(&repository(), &list).unwrap();
    let text = access.redactor().redact("rest:https://me:canary1@host/ canary1 canary2 canary3 /cache");
    assert_eq!(text, "rest:https://me:***@host/ *** *** *** /cache");
    assert!(!format!("{access:?}").contains("canary"));
}
