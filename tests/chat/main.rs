//! Tests of the whole chat, over real sockets and a real PostgreSQL, from its users' point of view.
//!
//! Read [`actors`] first, which the tests use for everything; then any module: each covers one guarantee to users.
//! Every test has its own database, instances and clock. Tests do not sleep: they wait for the expected event,
//! and print the actual one on failure.

mod actors;
mod redaction;

mod addresses;
mod archive;
mod batches;
mod bodies;
mod catching_up;
mod compact;
mod constraints;
mod conversation;
mod endings;
mod erasure;
mod faults;
mod following;
mod hearing;
mod here;
mod hosted;
mod inbox;
mod inputs;
mod kept_connections;
mod lost_answers;
mod many_sessions;
mod notifications;
mod pages;
mod people;
mod pins;
mod privacy;
mod push;
mod reactions;
mod read_marks;
mod refusals;
mod releases;
mod replica;
mod replies;
mod resume;
mod retention;
mod retries;
mod rights;
mod rotation;
mod search;
mod secrecy;
mod seeded;
mod shapes;
mod shares;
mod sizes;
mod smuggling;
mod stream_events;
#[cfg(feature = "otlp")]
mod traces;
mod transfer;
mod typing;
mod watching;
