//! The verbs that only look, as a person or a script sees them: stdout, stderr and exit code, on a machine of the
//! test's own without systemd and Docker.

#[cfg(test)]
mod config;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod home;
#[cfg(test)]
mod list;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod status;
#[cfg(test)]
mod timers;
