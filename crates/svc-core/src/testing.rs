//! What tests stand on: the fakes of the outside systems, and how to script their faults. Behind the feature `testing`.

mod script;

pub use script::{Script, When};

pub use crate::docker::fake::{DockerCall, DockerFault, DockerVerb, FakeContainer, FakeDocker};
pub use crate::freeze::fake::FakeFreezer;
pub use crate::systemd::fake::{FakeSystemd, FakeUnit, SystemdCall, SystemdFault};

use crate::names::{UnitName, VolumeName};

/// The unit of this name.
///
/// # Panics
/// When it is not a unit's name.
#[must_use]
#[track_caller]
#[expect(clippy::expect_used, reason = "a wrong name is a fault of the test itself")]
pub fn unit_name(text: &str) -> UnitName {
    text.parse().expect("a test names units rightly")
}

/// The volume of this name.
///
/// # Panics
/// When it is not a volume's name.
#[must_use]
#[track_caller]
#[expect(clippy::expect_used, reason = "a wrong name is a fault of the test itself")]
pub fn volume_name(text: &str) -> VolumeName {
    text.parse().expect("a test names volumes rightly")
}
