//! Figures as people read them. Here is only what messages of core need.

use std::fmt::Display;

use bytesize::ByteSize;
use jiff::Timestamp;

/// Bytes in binary units: `1.2 GiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// A moment by the world's clock: `2026-11-20 09:00:00 UTC`.
#[must_use]
pub fn moment(at: Timestamp) -> impl Display {
    at.strftime("%F %T UTC")
}
