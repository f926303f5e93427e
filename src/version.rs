//! Version of this build.

use std::sync::LazyLock;

/// Commit of this build. `GAPLESS_COMMIT` is set for releases and images; a build from a working tree has none, since
/// it may contain uncommitted changes.
pub const COMMIT: Option<&str> = option_env!("GAPLESS_COMMIT");

/// The release, and the commit if known.
pub static VERSION: LazyLock<String> = LazyLock::new(|| match COMMIT {
    Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
    None => format!("{} (a working tree)", env!("CARGO_PKG_VERSION")),
});
