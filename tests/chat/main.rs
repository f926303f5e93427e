//! The whole chat, over real sockets and a real PostgreSQL, told as its users would tell it.
//!
//! Begin with [`actors`], who do everything here; then any module: each is a chapter of what users may rely on.
//! Every test owns its database, its instances and its clock. None sleeps: each waits for what should happen,
//! and says what happened instead.

mod actors;
mod redaction;

mod addresses;
mod archive;
mod bodies;
mod constraints;
mod conversation;
mod endings;
mod erasure;
mod faults;
mod hearing;
mod hosted;
mod inputs;
mod kept_connections;
mod lost_answers;
mod many_sessions;
mod pages;
mod privacy;
mod refusals;
mod releases;
mod replica;
mod resume;
mod retention;
mod retries;
mod rights;
mod rotation;
mod secrecy;
mod shapes;
mod shares;
mod smuggling;
mod stream_events;
#[cfg(feature = "otlp")]
mod traces;
mod transfer;
mod watching;
