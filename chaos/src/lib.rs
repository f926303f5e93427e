//! The chaos run: three instances of Gapless under injected faults, clients that record what they send and receive,
//! and a checker that compares this history with the final database.
//!
//! In reading order: the [`schedule`] of faults, the [`cluster`] and the [`injector`] that breaks it; the simulated
//! clients ([`environment`], [`authors`], [`readers`], [`moderation`]) and their [`history`]; the [`checker`] and its
//! [`report`]; and one [`run`] of all that. A [`drill`] measures one property of the same three instances. The crate
//! shares no code with the server, so that both cannot have the same bug, except for running a private PostgreSQL.

#[cfg(not(target_os = "linux"))]
compile_error!("the chaos run reads /proc, so it needs Linux");

pub mod options;
pub mod schedule;

pub mod cluster;
pub mod injector;

pub mod active_faults;
pub mod environment;
pub mod history;

pub mod authors;
pub mod clients;
pub mod moderation;
pub mod monitor;
pub mod readers;
pub mod stale_presence;
pub mod submit;

pub mod checker;
pub mod report;

pub mod mutants;
pub mod run;

pub mod drill;
pub mod laptop;
