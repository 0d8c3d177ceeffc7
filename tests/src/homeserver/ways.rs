//! The ways in which `paperless` can be saved: how it is made to hold still, and how its data is.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::Homeserver;
use crate::wait;

/// How long all containers may take to be well again after Docker was off.
const HEALTHY: Duration = Duration::from_mins(1);

/// How the service is made to hold still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Still {
    /// It is stopped.
    Stop,
    /// It is paused.
    Pause,
}

/// How its data holds still for restic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    /// Volumes by a btrfs snapshot, the directory on the other disk by a reflink copy: as the homeserver is made.
    Snapshot,
    /// Everything by reflink copies on XFS.
    Reflink,
    /// A directory is on ext4 and restic is slow: a hot pass, then a cold one.
    TwoPasses,
    /// Nothing is frozen: it holds still for as long as restic reads.
    Classic,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Snapshot, Self::Reflink, Self::TwoPasses, Self::Classic];

    /// What the plan of a backup says in this way and in no other.
    #[must_use]
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Snapshot => "reflink copy and btrfs snapshot",
            Self::Reflink => "reflink copy: the stop",
            Self::TwoPasses => "only what has changed meanwhile",
            // Nothing is written to disk or read before.
            Self::Classic => "3  note what runs",
        }
    }
}

/// The volumes lie on XFS from now on, also after a power cut.
const REFLINK: &str = "set -e
systemctl stop docker.socket docker.service
cp -a /var/lib/docker/volumes /data/docker-volumes
echo '/data/docker-volumes /var/lib/docker/volumes none bind 0 0' >> /etc/fstab
systemctl daemon-reload
systemctl start var-lib-docker-volumes.mount docker.socket docker.service multi-user.target";

/// A directory lies on ext4 from now on, there is more than a short backup, and restic takes its time. What is mounted is
/// above the directory: svc restores no mount point.
const TWO_PASSES: &str = r#"set -e
cp -a /data/paperless /mnt/backup/paperless
echo '/mnt/backup/paperless /data/paperless none bind 0 0' >> /etc/fstab
systemctl daemon-reload
systemctl stop docker-compose-paperless.service
systemctl start data-paperless.mount
head -c 70M /dev/urandom > /var/lib/docker/volumes/paperless_media/_data/large
systemctl start docker-compose-paperless.service
cat > /usr/local/bin/restic <<'END'
#!/bin/sh
case " $* " in *" backup "*) sleep 1.3 ;; esac
exec /usr/bin/restic "$@"
END
chmod 755 /usr/local/bin/restic"#;

impl Homeserver {
    /// From now on `paperless` is saved in this way; once for each homeserver.
    pub fn save_by(&self, still: Still, way: Way) -> Result<()> {
        match way {
            Way::Snapshot => {}
            Way::Reflink => self.home.check(REFLINK).map(drop)?,
            Way::TwoPasses => self.home.check(TWO_PASSES).map(drop)?,
            Way::Classic => self.freeze_nothing()?,
        }
        self.hold_still_by(still)?;
        let unwell = "docker ps -a --format '{{.Names}} {{.Status}}' | grep paperless | grep -v '(healthy)'";
        let is_well = || Ok(self.home.run(unwell)?.stdout.is_empty() && self.documents().is_ok());
        ensure!(wait::until(HEALTHY, is_well)?, "{}", self.home.run(unwell)?);
        Ok(())
    }

    /// From now on `paperless` holds still by that.
    pub fn hold_still_by(&self, still: Still) -> Result<()> {
        let quiesce = match still {
            Still::Stop => "stop",
            Still::Pause => "pause",
        };
        // The older key says only whether it is stopped, and must not contradict.
        self.configure(&format!(
            "del(.services.paperless.backup.needsServiceStopped) |
             .services.paperless.backup.quiesce = \"{quiesce}\""
        ))
    }

    /// Changes the configuration by this `jq` program.
    pub fn configure(&self, program: &str) -> Result<()> {
        self.home.check(&format!(
            "jq '{program}' /etc/svc/services.json > /run/services.json &&
             cat /run/services.json > /etc/svc/services.json && svc config check >&2"
        ))?;
        Ok(())
    }
}
