//! svc as its users have it: on real homeservers, against real systemd, Docker, restic and file systems.
//!
//! One program for all of it: whichever test comes next begins as soon as a box is free.

// The longest: it begins first.
mod against_restic;
mod backup;
mod boxes;
mod completion;
mod databases;
mod everyday;
mod faults_boot;
mod faults_hooks;
mod faults_locks;
mod faults_network;
mod faults_repository;
mod faults_runs;
mod faults_services;
mod faults_state;
mod foreign_units;
mod freeze;
mod freeze_metadata;
mod frugal;
mod hooks;
mod kills;
mod logs;
mod mistakes;
mod privileges;
mod restore;
mod retention;
mod secrets;
mod states;
mod timers;
mod zfs;
