//! A client of the chat for those who judge it: chaos run, benchmarks and tests.
//!
//! It knows nothing of the server's code. [`frame`] is the one reader of event streams, from bytes to events; [`http`] makes
//! requests and opens streams. Both report each failure as it is: nothing is retried, skipped or repaired.

pub mod frame;
pub mod http;
