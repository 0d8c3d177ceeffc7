//! The real restic, every one that `SVC_TEST_RESTIC` names (paths with `:` between them), or else the one on `PATH`.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod care;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod round_trip;
