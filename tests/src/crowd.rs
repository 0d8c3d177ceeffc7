//! A box with many services on it: units and containers that only run, and configurations that name them.

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::Machine;

/// Where the repository of [`repository`] is.
pub const REPOSITORY: &str = "/srv/restic";
/// Its password, in a file.
pub const PASSWORD_FILE: &str = "/etc/svc/restic.password";
/// The directory with many files that the service of [`tree`] consists of.
pub const TREE: &str = "/srv/tree";

/// How many units run, and how many containers.
pub const EACH: usize = 50;

/// An image of one static program: a container of it starts in a third of a second.
pub(crate) const IMAGE: &str = "crowd";

/// Makes that image.
pub(crate) fn make_image(machine: &Machine) -> Result<()> {
    machine.check(&format!(
        "mkdir -p /run/image/bin && cp /bin/busybox /run/image/bin/
         tar -C /run/image -c . | docker import - {IMAGE}"
    ))?;
    Ok(())
}

/// Writes the password of all repositories.
pub(crate) fn make_password(machine: &Machine) -> Result<()> {
    machine.write(PASSWORD_FILE, "secret of the bench\n")?;
    machine.check(&format!("chmod 600 {PASSWORD_FILE}"))?;
    Ok(())
}

/// Starts [`EACH`] units and as many containers.
pub fn settle(machine: &Machine) -> Result<()> {
    make_image(machine)?;
    machine.check(&format!(
        r"set -e
        for n in $(seq 0 {last}); do
            printf '[Service]\nExecStart=/bin/sleep infinity\n' > /etc/systemd/system/unit$n.service
        done
        systemctl daemon-reload
        systemctl start $(seq -f 'unit%g.service' 0 {last})
        for n in $(seq 0 {last}); do
            docker run --detach --init --network none --name box$n {IMAGE} /bin/busybox sleep 2147483 > /dev/null
        done",
        last = EACH - 1,
    ))?;
    Ok(())
}

/// `services.json` with so many services: half of them units, half containers. Beyond [`EACH`] there are none of them.
#[must_use]
pub fn services(count: usize) -> String {
    let unit = |number| {
        let (name, path) = (format!("unit{number}"), format!("/srv/unit{number}"));
        let service = json!({
            "name": name, "units": [format!("{name}.service")],
            "backup": {"enable": true, "needsServiceStopped": true, "paths": [path], "tags": [name]},
        });
        (name, service)
    };
    let container = |number| {
        let (name, volume) = (format!("box{number}"), format!("box{number}_data"));
        let service = json!({
            "name": name,
            "monitoring": {"errorPatterns": ["ERROR", "FATAL"], "warningPatterns": ["WARNING"]},
            "backup": {
                "enable": true, "needsServiceStopped": true, "volumes": [volume], "tags": [name],
                "exclude": ["*.log", "cache"],
                "policy": {"last": null, "hourly": null, "daily": 10, "weekly": 4, "monthly": 4, "yearly": null},
            },
            "restore": {"tag": name, "volumes": [volume], "stopCompose": true, "target": "/"},
        });
        (name, service)
    };
    let services = (0..count / 2).flat_map(|number| [unit(number), container(number)]);
    document(&services.collect())
}

/// `services.json` with the one service `tree`: files, and nothing to stop.
#[must_use]
pub fn tree() -> String {
    let service = json!({"name": "tree", "backup": {"enable": true, "paths": [TREE], "tags": ["tree"]}});
    document(&[("tree".to_owned(), service)].into_iter().collect())
}

fn document(services: &Map<String, Value>) -> String {
    let local = json!({"repository": REPOSITORY, "passwordFile": PASSWORD_FILE});
    json!({"repositories": {"local": local}, "services": services}).to_string()
}

/// Makes the files of [`tree`], a hundred in each directory, and the repository.
pub fn plant(machine: &Machine, files: usize) -> Result<()> {
    make_password(machine)?;
    machine.check(&format!(
        "set -e
        restic init --quiet --repo {REPOSITORY} --password-file {PASSWORD_FILE}
        n=0
        while [ $n -lt {files} ]; do
            directory={TREE}/$((n / 100)); mkdir -p $directory
            echo file $n > $directory/$n; n=$((n + 1))
        done"
    ))?;
    Ok(())
}
