//! A private PostgreSQL: a real one, with fsync on, found on the machine, reached over a Unix socket that only
//! this program can open, and stopped when the program ends.
//!
//! The server uses it where no `DATABASE_URL` is set; `cargo xtask` and the chaos run use it too, so that tests and
//! newcomers get their database in the same way. It knows nothing of the schema. Read on in [`cluster`], which tells
//! the whole story of a start. `docs/adr/0004-embedded-postgres.md` says why no library does this.

pub mod account;
pub mod binaries;
pub mod cluster;
pub mod error;
pub mod home;
pub mod postmaster;
#[cfg(test)]
mod tests;
