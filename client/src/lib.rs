//! A client of the chat for the chaos run, benchmarks and tests.
//!
//! It shares no code with the server. [`frame`] parses event streams, and [`compact`] their short form; [`http`] sends requests and opens streams. Both report
//! each failure: they retry, skip and repair nothing. [`link`] injects network faults between a program and its peers.

pub mod compact;
pub mod frame;
pub mod http;
pub mod link;
