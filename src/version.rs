//! Which build this is.

use std::sync::LazyLock;

/// The commit that this was built from. `GAPLESS_COMMIT` is set where releases and images are made; a working
/// tree has none, since what is built there is no commit.
pub const COMMIT: Option<&str> = option_env!("GAPLESS_COMMIT");

/// The release, and the commit where there is one.
pub static VERSION: LazyLock<String> = LazyLock::new(|| match COMMIT {
    Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
    None => format!("{} (a working tree)", env!("CARGO_PKG_VERSION")),
});
