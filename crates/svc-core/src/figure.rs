//! Figures as people read them. Here is only what messages of core need.

use bytesize::ByteSize;

/// Bytes in binary units: `1.2 GiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}
