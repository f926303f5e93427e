//! The chaos run: three instances of Gapless with everything around them breaking, clients that write down what they
//! saw, and a checker that holds the history against the final database.
//!
//! In reading order: what breaks when ([`schedule`]), through what ([`cluster`], [`injector`]), who suffers it
//! ([`stage`], [`authors`], [`readers`], [`law`]) and writes it down ([`history`]), what is made of it ([`checker`],
//! [`report`]), and one run of it all ([`run`]). A [`drill`] asks one question of the
//! same three instances, and answers it by a figure. Nothing here is shared with the server, so that a mistake of one is not
//! a mistake of the other; only the way to run a private PostgreSQL is the same.

#[cfg(not(target_os = "linux"))]
compile_error!("the chaos run reads /proc, so it needs Linux");

pub mod options;
pub mod schedule;

pub mod cluster;
pub mod injector;

pub mod active_faults;
pub mod history;
pub mod stage;

pub mod authors;
pub mod law;
pub mod readers;
pub mod vitals;

pub mod checker;
pub mod report;

pub mod mutants;
pub mod run;

pub mod drill;
pub mod laptop;
