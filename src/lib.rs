//! Gapless.
