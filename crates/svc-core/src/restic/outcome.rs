//! What restic's exit code and words mean. All texts were seen with 0.18.0 and 0.19.1.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use super::ResticFailure;

/// The code that says a snapshot exists, but something could not be read.
pub(super) const PARTIAL: i32 = 3;

/// What a text of restic says is wrong, if it says so.
pub(super) fn symptom(text: &str) -> Option<ResticFailure> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // At the end only: the words before it may be a file's name.
    let full = ["no space left on device", "disk quota exceeded"];
    if full.iter().any(|word| text.trim_end().ends_with(word)) || has(&["(507): 507 Insufficient Storage"]) {
        Some(ResticFailure::NoSpace)
    } else if has(DAMAGED) || pack_is_gone(text) {
        Some(ResticFailure::Damaged)
    } else if has(DENIED) {
        Some(ResticFailure::Denied)
    } else if has(UNREACHABLE) {
        Some(ResticFailure::Unreachable)
    } else {
        None
    }
}

const DAMAGED: &[&str] = &[
    "ciphertext verification failed",
    "trying to decrypt invalid data",
    "invalid data returned",
    "config cannot be loaded",
    "config file has zero size",
    "is damaged",
    "not found in repository",
    "unable to load index",
    "invalid lock file",
    "wrong data returned",
    "hash does not match",
    // The last words of `check` and `prune`.
    "repository contains errors",
    "packs from index missing in repo",
    // What restic makes of a file that is cut down to a few bytes.
    "panic: runtime error: slice bounds out of range",
];

const DENIED: &[&str] = &[
    "(401): 401 Unauthorized",
    "(403): 403 Forbidden",
    "Permission denied (publickey",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "Access Denied.",
];

const UNREACHABLE: &[&str] = &[
    "connection refused",
    "Connection refused",
    "connection reset by peer",
    "Connection reset by peer",
    "no such host",
    "Could not resolve hostname",
    "server misbehaving",
    "no route to host",
    "No route to host",
    "network is unreachable",
    "Network is unreachable",
    "i/o timeout",
    "Connection timed out",
    "connection timed out",
    "TLS handshake",
    "context deadline exceeded",
    "Client.Timeout exceeded",
    "x509: ",
    "tls: ",
    "dial tcp",
    "unable to start the sftp session",
    "server gave HTTP response to HTTPS client",
    "transport endpoint is not connected",
    "stale file handle",
    "(502): 502",
    "(503): 503",
    "(504): 504",
];

/// A pack that should be there and is not; an absent snapshot is another matter.
fn pack_is_gone(text: &str) -> bool {
    let pack = text.contains("Load(<data/") || text.contains("ReadFull(<data/");
    pack && (text.contains("no such file or directory") || text.contains("does not exist"))
}

/// What a process that failed by itself says: by its code where that is clear, else by its text.
pub(super) fn kind(status: ExitStatus, symptom: Option<ResticFailure>) -> ResticFailure {
    match (status.code(), status.signal()) {
        (Some(10), _) => ResticFailure::NoRepository,
        (Some(11), _) => ResticFailure::Locked,
        (Some(12), _) => ResticFailure::WrongPassword,
        (Some(code), _) => symptom.unwrap_or(ResticFailure::Code(code)),
        (None, signal) => ResticFailure::Signal(signal.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_restic_are_known() {
        for (text, kind) in [
            (
                "Save(<data/e9>) failed: write /r/data/e9-tmp-1: no space left on device",
                ResticFailure::NoSpace,
            ),
            ("unexpected HTTP response (507): 507 Insufficient Storage", ResticFailure::NoSpace),
            (
                "Fatal: config cannot be loaded: trying to decrypt invalid data: ciphertext too short",
                ResticFailure::Damaged,
            ),
            ("config file has zero size, invalid repository?", ResticFailure::Damaged),
            ("LoadRaw(<index/d50e3792aa>): invalid data returned", ResticFailure::Damaged),
            ("id b1127cc2 not found in repository", ResticFailure::Damaged),
            (
                "Load(<data/23>, 0, 0) failed: open /r/data/23/23: no such file or directory",
                ResticFailure::Damaged,
            ),
            ("panic: runtime error: slice bounds out of range [16:4]", ResticFailure::Damaged),
            ("unexpected HTTP response (401): 401 Unauthorized", ResticFailure::Denied),
            ("dial tcp 127.0.0.1:1: connect: connection refused", ResticFailure::Unreachable),
            ("dial tcp: lookup nope.invalid on 1.1.1.1:53: no such host", ResticFailure::Unreachable),
            (
                "subprocess ssh: ssh: connect to host a port 22: Connection refused",
                ResticFailure::Unreachable,
            ),
        ] {
            assert_eq!(symptom(text), Some(kind), "{text}");
        }
    }

    #[test]
    fn other_words_say_nothing() {
        for text in [
            "",
            "Fatal: all source directories/files do not exist",
            "failed to load snapshot [null]: open /r/snapshots/00: no such file or directory",
            "Load(<snapshot/0000000000>, 0, 0) failed: open /r/snapshots/00: no such file or directory",
            "open /data/no space left on device/x: permission denied",
        ] {
            assert_eq!(symptom(text), None, "{text}");
        }
    }

    #[test]
    fn clear_codes_win_over_words_and_words_over_unclear_codes() {
        let full = Some(ResticFailure::NoSpace);
        let kind_of = |raw, symptom| kind(ExitStatus::from_raw(raw), symptom);
        assert_eq!(kind_of(10 << 8, full), ResticFailure::NoRepository);
        assert_eq!(kind_of(11 << 8, full), ResticFailure::Locked);
        assert_eq!(kind_of(12 << 8, full), ResticFailure::WrongPassword);
        assert_eq!(kind_of(1 << 8, full), ResticFailure::NoSpace);
        assert_eq!(kind_of(77 << 8, None), ResticFailure::Code(77));
        assert_eq!(kind_of(130 << 8, None), ResticFailure::Code(130));
        assert_eq!(kind_of(9, full), ResticFailure::Signal(9));
    }
}
