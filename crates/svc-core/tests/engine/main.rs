//! The engine against fakes of systemd, Docker and restic: whole runs, from looking to the report.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod care;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod freeze;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod house;
#[cfg(test)]
mod keepers;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod log;
#[cfg(test)]
mod pause;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod quiet;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod recovery_faults;
#[cfg(test)]
mod relatives;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod restore_faults;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod retention_tags;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod show;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod side_by_side;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod tap;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod way_back;
