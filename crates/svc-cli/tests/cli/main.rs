//! The command line from outside: stdout, stderr and exit status of the binary, in a world without systemd and Docker.

mod backups;
mod config;
mod help;
mod lifecycle;
mod repo;
mod scene;
