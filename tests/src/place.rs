//! Where things lie: the cache outside the checkout, and the names by which the kernel knows the boxes.

use std::{env, path::PathBuf};

use sha2::{Digest as _, Sha256};

const DEFAULT: &str = "/var/cache/svc-box";

/// How the kernel's names of all boxes begin, whatever cache they are in.
pub(crate) const SCOPE: &str = "svcbox-";

/// The cache directory: `$SVC_BOX_CACHE`, or `/var/cache/svc-box`.
///
/// It holds the image of all trees and disks, its mount point, and the state of the boxes; it can be
/// removed at any time while no box runs (`cargo box purge`).
#[must_use]
pub fn cache() -> PathBuf {
    env::var_os("SVC_BOX_CACHE").map_or_else(|| DEFAULT.into(), PathBuf::from)
}

/// Directory of locks, notify sockets, consoles and the state of each box.
#[must_use]
pub fn run() -> PathBuf {
    cache().join("run")
}

/// The name under which the kernel sees a box: its cgroup, and its machine name.
///
/// Boxes of another cache may bear the same names, so those carry a part of the cache's hash.
#[must_use]
pub fn scope(name: &str) -> String {
    let cache = cache();
    if cache.as_os_str() == DEFAULT {
        return format!("{SCOPE}{name}");
    }
    let hash = short_hash([cache.as_os_str().as_encoded_bytes()]);
    format!("{SCOPE}{}-{name}", &hash[..4])
}

/// Bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Twelve hex digits over all the parts, in their order.
pub(crate) fn short_hash<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    hex(&digest[..6])
}
