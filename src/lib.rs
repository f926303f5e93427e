//! Gapless: a public multi-room chat whose acknowledged messages are never lost, doubled or out of order.
//!
//! In reading order: what can be heard ([`event`]), how it is kept ([`store`]), how it is carried
//! ([`realtime`]), who is asking ([`auth`]), what can be asked ([`routes`]), and how it is joined ([`app`]).

pub mod config;
pub mod telemetry;

pub mod clock;
pub mod error;
pub mod event;
pub mod id;
pub mod post;

pub mod store;

pub mod realtime;

pub mod auth;
pub mod demo;
pub mod limits;

pub mod extract;
pub mod input;
pub mod routes;

pub mod app;
pub mod command;
pub mod instance;
pub mod lifecycle;
pub mod mutant;
pub mod readiness;
pub mod server;
mod session_cleaning;
pub mod stream;
pub mod sweep;
pub mod version;

pub use app::App;
