//! Gapless: a public multi-room chat whose acknowledged messages are never lost, doubled or out of order.
//!
//! Modules are listed from the lowest layer to the highest: each imports only from those above it in this list.
//! `docs/ARCHITECTURE.md` describes the layers, and `tests/layers.rs` holds the order.

pub mod clock;
pub mod id;
pub mod version;

pub mod event;
pub mod input;
pub mod outcome;
pub mod post;

pub mod config;
pub mod telemetry;

pub mod store;

pub mod realtime;

pub mod error;
pub mod limits;

pub mod auth;
pub mod batches;

pub mod demo;
pub mod here;
pub mod lifecycle;
pub mod push;
pub mod reactions;
pub mod read_marks;
mod readiness;
mod session_cleaning;
pub mod sweep;

pub mod app;

pub mod extract;
mod gauges;
mod liveness;
pub mod routes;
pub mod stream;

pub mod server;

pub mod command;
pub mod instance;

pub use app::App;
