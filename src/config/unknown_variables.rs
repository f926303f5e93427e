//! Unknown environment variables that look like misspelled settings. Without a warning, a typo in a name would silently
//! apply a default.
//!
//! The environment is full of other programs' variables, so a name is reported only if it has one of our prefixes or is
//! a typo away from one of our names.

use clap::{Args as _, Command};

use super::Settings;

/// Prefixes that other programs rarely use. Not among them: `DATABASE_` and `REDIS_` (platforms set
/// `DATABASE_URL_UNPOOLED`, `REDIS_URL`), `LOG_`, `METRICS_`.
const OUR_BEGINNINGS: [&str; 6] =
    ["GAPLESS_", "JWT_", "REDIS_CONNECTION", "ALLOWED_ORIGIN", "ACCESS_TOKEN_TTL", "REFRESH_TOKEN_TTL"];
/// Variables that the build, the tests and the seeded bugs read; they are not settings.
const OURS_ELSEWHERE: [&str; 5] =
    ["GAPLESS_COMMIT", "GAPLESS_MUTANT", "GAPLESS_BIN", "GAPLESS_E2E_DATA", "GAPLESS_E2E_PORT"];
/// Shorter names are too similar to too many others.
const SHORTEST: usize = 6;

/// A variable that is not a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    pub name: String,
    /// The setting that was probably intended.
    pub meant: Option<String>,
}

impl std::fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is set, but there is no such setting", self.name)?;
        match &self.meant {
            Some(meant) => write!(f, "; did you mean {meant}?"),
            None => write!(f, "; see docs/CONFIGURATION.md for all settings"),
        }
    }
}

/// Returns the unknown variables in this process's environment.
pub fn of_environment() -> Vec<UnknownVariable> {
    among(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
}

/// Returns the unknown variables among these names, sorted by name.
pub fn among(names: impl IntoIterator<Item = String>) -> Vec<UnknownVariable> {
    let settings = Settings::augment_args(Command::new("gapless"));
    let known: Vec<&str> = settings.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
    let mut unknown: Vec<UnknownVariable> = names
        .into_iter()
        .filter(|name| !known.contains(&name.as_str()) && !OURS_ELSEWHERE.contains(&name.as_str()))
        .filter_map(|name| {
            let meant = nearest(&name, &known).map(str::to_owned);
            let begins_as_ours = OUR_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
            (meant.is_some() || begins_as_ours).then_some(UnknownVariable { name, meant })
        })
        .collect();
    unknown.sort_by(|one, other| one.name.cmp(&other.name));
    unknown
}

/// Returns the setting whose name is one typo away: different case, or one or two letters added, removed, replaced or
/// swapped with a neighbour.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() < SHORTEST {
        return None;
    }
    let folded = name.to_ascii_uppercase().replace('-', "_");
    let slips = known.iter().map(|known| (strsim::osa_distance(&folded, known), *known));
    let (slips, known) = slips.min()?;
    // One edit is a typo in a short name, two in a long one.
    let pardoned = if known.len() < 10 { 1 } else { 2 };
    (slips <= pardoned).then_some(known)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn said(name: &str) -> Option<UnknownVariable> {
        among([name.to_owned()]).pop()
    }

    #[rstest]
    #[case("DATABASE_URI", "DATABASE_URL")]
    #[case("database_url", "DATABASE_URL")]
    #[case("REDIS_CONECTION", "REDIS_CONNECTION")]
    #[case("ALLOWED_ORIGIN", "ALLOWED_ORIGINS")]
    #[case("ALOWED_ORIGNS", "ALLOWED_ORIGINS")]
    #[case("JWT_SINGING_KEY", "JWT_SIGNING_KEY")]
    #[case("JWT_SIGNING_KEYFILE", "JWT_SIGNING_KEY_FILE")]
    #[case("TRUSTED_PROXYS", "TRUSTED_PROXY")]
    #[case("RATE-LIMITS", "RATE_LIMITS")]
    #[case("DEMOMODE", "DEMO_MODE")]
    #[case("REGISTRATON", "REGISTRATION")]
    fn a_slip_is_told_with_what_was_meant(#[case] name: &str, #[case] meant: &str) {
        let variable = said(name).unwrap_or_else(|| panic!("{name} is told"));
        assert_eq!(variable.meant.as_deref(), Some(meant));
    }

    #[rstest]
    #[case("JWT_SECRET")]
    #[case("GAPLESS_PORT")]
    #[case("REDIS_CONNECTION_STRING")]
    fn what_begins_as_ours_is_told_though_nothing_is_near(#[case] name: &str) {
        let variable = said(name).unwrap_or_else(|| panic!("{name} is told"));
        assert_eq!(variable.meant, None);
        assert!(variable.to_string().starts_with(name));
    }

    #[test]
    fn what_others_have_is_no_alarm_nor_is_any_setting() {
        let others = "PATH HOME USER SHELL TERM LANG PWD HOSTNAME TZ TMPDIR MAIL EDITOR DISPLAY LOGNAME SHLVL LS_COLORS \
            RUST_LOG RUST_BACKTRACE CARGO_HOME CARGO_TARGET_DIR NO_COLOR CI GITHUB_SHA NODE_ENV \
            PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSSLMODE PGAPPNAME POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB \
            DATABASE_HOST DATABASE_PORT DATABASE_NAME DATABASE_URL_UNPOOLED DIRECT_URL REDIS_URL REDIS_HOST REDIS_PORT \
            REDIS_PASSWORD REDISCLI_AUTH FLY_APP_NAME FLY_REGION FLY_MACHINE_ID FLY_ALLOC_ID FLY_PUBLIC_IP PRIMARY_REGION \
            OTEL_EXPORTER_OTLP_ENDPOINT OTEL_SERVICE_NAME OTEL_TRACES_SAMPLER KUBERNETES_SERVICE_HOST \
            KUBERNETES_SERVICE_PORT SHUTTLE_ENV SHUTTLE_PROJECT_ID SHUTTLE_RUNTIME_PORT \
            INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID CREDENTIALS_DIRECTORY LISTEN_FDS NOTIFY_SOCKET \
            XDG_DATA_DIRS XDG_RUNTIME_DIR SSH_AUTH_SOCK HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE LD_LIBRARY_PATH \
            LOG_LEVEL LOG_FILE HOSTS PORTS SECRET_KEY ACCESS_TOKEN REFRESH_TOKEN_SECRET API_URL VITE_API_URL";
        let others = others.split_whitespace().map(str::to_owned);
        assert_eq!(among(others), []);
        let settings = Settings::augment_args(Command::new("gapless"));
        let known = settings.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned()));
        assert_eq!(among(known.chain(OURS_ELSEWHERE.map(str::to_owned))), []);
    }
}
