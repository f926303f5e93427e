//! Reports all invalid values of variables together: the command-line parser stops at the first.

use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgMatches, Args as _, Command, FromArgMatches as _};

use super::{Config, Settings};

/// A variable with a value that is invalid for its setting.
struct Fault {
    /// The setting's name in the command line.
    setting: String,
    sentence: String,
}

/// Returns all problems with the environment, one per line, after `program`'s command line was rejected. `None` if no
/// variable's value was the reason.
pub fn explain(program: Command) -> Option<String> {
    explain_with(program, std::env::vars_os().collect(), std::env::args_os().collect())
}

fn explain_with(program: Command, variables: Vec<(OsString, OsString)>, line: Vec<OsString>) -> Option<String> {
    let faults = faults(&variables);
    if faults.is_empty() {
        return None;
    }
    let mut sentences: Vec<String> = faults.iter().map(|fault| fault.sentence.clone()).collect();
    // The others may be invalid in combination, which shows only without these.
    let unset = |program: Command, fault: &Fault| program.mut_arg(&fault.setting, |arg| arg.env(Resettable::Reset));
    let program = faults.iter().fold(program, unset);
    match program.try_get_matches_from(line) {
        Ok(rest) => sentences.extend(faults_together(&rest)),
        Err(error) => sentences.extend(error.to_string().lines().next().map(str::to_owned)),
    }
    Some(sentences.join("\n"))
}

/// Returns a problem with the combination of the remaining settings, as reported by the given command.
fn faults_together(matches: &ArgMatches) -> Option<String> {
    let settings = Settings::from_arg_matches(matches).ok()?;
    let resolved = match matches.subcommand_name() {
        None | Some("serve" | "config" | "doctor") => Config::resolve(settings),
        Some(_) => Config::resolve_without_key(settings),
    };
    resolved.err().map(|error| error.to_string())
}

fn faults(variables: &[(OsString, OsString)]) -> Vec<Fault> {
    let settings = Settings::augment_args(Command::new("gapless"));
    let faults = settings.get_arguments().filter_map(|setting| {
        let (name, value) = variables.iter().find(|(name, _)| setting.get_env() == Some(name))?;
        Some(Fault {
            setting: setting.get_id().to_string(),
            sentence: format!("{}: {}", name.to_string_lossy(), refusal(setting, value)?),
        })
    });
    faults.collect()
}

/// Returns why a setting rejects a value. Secrets are plain texts, and no text is rejected, so no secret is shown.
fn refusal(setting: &Arg, value: &OsString) -> Option<String> {
    let mut flag = OsString::from(format!("--{}=", setting.get_long()?));
    flag.push(value);
    let alone = Command::new("gapless").arg(setting.clone().env(Resettable::Reset));
    let error = alone.try_get_matches_from([OsString::from("gapless"), flag]).err()?;
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(reason), _) => reason.to_string(),
        (None, Some(ContextValue::Strings(choices))) => format!("must be one of {}", choices.join(", ")),
        (None, _) => "the setting does not accept this value".to_owned(),
    };
    Some(format!("`{}` is invalid: {reason}", value.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(variables: &[(&str, &str)], flags: &[&str]) -> Option<String> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let line = ["gapless"].iter().chain(flags).map(OsString::from).collect();
        explain_with(Settings::augment_args(Command::new("gapless")), variables, line)
    }

    #[test]
    fn all_values_that_will_not_do_are_told_and_what_is_wrong_besides() {
        let wrong = [
            ("PORT", "http"),
            ("ACCESS_TOKEN_TTL_SECS", "901"),
            ("REGISTRATION", "perhaps"),
            ("DEMO_MODE", "maybe"),
            ("HOST", "here"),
            ("PATH", "/bin"),
            ("HEARTBEAT_SECS", "15"),
        ];
        let flags = ["--database-url=mysql://u:hush@db", "--jwt-signing-key=hush", "--allowed-origins=*"];
        let told = explained(&wrong, &flags).expect("faults");
        let about = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        assert!(about("PORT: `http` is invalid: invalid digit").len() > 20, "{told}");
        assert!(about("ACCESS_TOKEN_TTL_SECS: `901`").contains("1..=900"), "{told}");
        assert!(about("REGISTRATION:").ends_with("must be one of open, invite, closed"), "{told}");
        for name in ["DEMO_MODE: `maybe`", "HOST: `here`", "DATABASE_URL", "JWT_SIGNING_KEY", "ALLOWED_ORIGINS"] {
            assert!(!about(name).is_empty(), "{name} in {told}");
        }
        assert_eq!(told.lines().count(), 8, "{told}");
        assert!(!told.contains("hush"), "{told}");
        let and_a_flag = explained(&[("PORT", "http")], &["--heartbeat-secs=0"]).expect("faults");
        assert!(and_a_flag.contains("PORT: ") && and_a_flag.contains("--heartbeat-secs"), "{and_a_flag}");
    }

    #[test]
    fn where_no_variable_is_the_reason_nothing_is_explained() {
        assert_eq!(explained(&[("PORT", "8080"), ("METRICS_PORT_NEAR", "x")], &["--port=x"]), None);
    }
}
