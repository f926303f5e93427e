//! Tests of valid settings and of the messages for invalid ones.

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// Overrides variables that are likely to be set in a developer's shell.
fn resolve(flags: &[&str]) -> anyhow::Result<Config> {
    let dir = tempfile::tempdir()?;
    let data = format!("--data-dir={}", dir.path().display());
    let base = ["gapless", "--jwt-signing-key=", "--database-url=", "--allowed-origins=", "--redis-connection=", &data];
    let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
    let given = |flag: &&&str| !flags.iter().any(|other| name(other) == name(flag));
    let line = base.iter().filter(given).chain(flags);
    Config::resolve(Line::try_parse_from(line)?.settings)
}

const KEY: &str = "--jwt-signing-key=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn demo_mode_is_on_only_where_neither_database_nor_key_is_set() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = format!("--data-dir={}", dir.path().display());
    assert!(resolve(&[&data]).expect("a demo").demo_mode);
    assert!(!resolve(&[&data, KEY]).expect("a service").demo_mode);
    assert!(resolve(&[&data, KEY, "--demo-mode=true"]).expect("a demo by wish").demo_mode);
    let error = resolve(&["--database-url=postgres://db/gapless"]).expect_err("a key is needed");
    assert!(error.to_string().contains("openssl rand -hex 32"), "{error}");
}

#[test]
fn the_demo_key_survives_a_restart_and_is_the_owners_alone() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = format!("--data-dir={}", dir.path().join("deep").display());
    let first = resolve(&[&data]).expect("a demo").jwt_signing_key;
    let second = resolve(&[&data]).expect("the same demo").jwt_signing_key;
    assert_eq!(first.as_bytes(), second.as_bytes());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = std::fs::metadata(dir.path().join("deep/signing-key")).expect("the key's file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_token_cannot_be_made_to_live_longer_than_a_quarter_of_an_hour() {
    assert!(resolve(&[KEY, "--access-token-ttl-secs=901"]).is_err());
    assert_eq!(
        resolve(&[KEY, "--access-token-ttl-secs=5"]).expect("short is fine").access_token_ttl,
        Duration::from_secs(5)
    );
}

#[test]
fn a_secret_may_lie_in_a_file_and_what_is_empty_is_not_set() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("key");
    std::fs::write(&file, "07".repeat(32) + "\n").expect("a file");
    let file = format!("--jwt-signing-key-file={}", file.display());
    assert_eq!(resolve(&[&file]).expect("settings").jwt_signing_key.as_bytes(), &[7; 32]);
    assert!(resolve(&[&file, KEY]).expect_err("one too many").to_string().contains("both set"));
    assert!(resolve(&["--jwt-signing-key-file=/nowhere"]).is_err());
    let config = resolve(&[KEY, "--spa-dir=", "--database-url-file=", "--trusted-proxy="]).expect("settings");
    assert!(config.spa_dir.is_none() && config.database_url.is_none() && config.trusted_proxy.is_none());
}

#[test]
fn everything_that_is_wrong_is_named_at_once_in_a_sentence_each() {
    let flags = [
        "--database-url=mysql://u:hush@db/x",
        "--jwt-previous-keys=hush",
        "--allowed-origins=*",
        "--trusted-proxy=x",
        "--redis-connection=a:1,b:2",
        "--metrics-token=hush",
        "--metrics-token-file=/nowhere",
        "--drain-delay-secs=20",
    ];
    let error = resolve(&flags).expect_err("eight faults").to_string();
    let names = [
        "JWT_SIGNING_KEY",
        "JWT_PREVIOUS_KEYS",
        "DATABASE_URL",
        "REDIS_CONNECTION",
        "METRICS_TOKEN",
        "ALLOWED_ORIGINS",
        "TRUSTED_PROXY",
        "DRAIN_DELAY_SECS",
    ];
    for name in names {
        let sentences = error.lines().filter(|line| line.starts_with(name));
        assert_eq!(sentences.count(), 1, "{name} in {error}");
    }
    assert_eq!(error.lines().count(), names.len(), "{error}");
    assert!(!error.contains("hush"), "{error}");
}

#[test]
fn an_address_of_the_database_says_how_to_encrypt() {
    for mode in ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] {
        let url = format!("--database-url=postgres://u:p@db/x?application_name=a&sslmode={mode}");
        resolve(&[KEY, &url]).unwrap_or_else(|error| panic!("{mode}: {error}"));
    }
    for (wrong, named) in [("postgres://u:hush@db/x?sslmode=verify_full", "verify_full"), ("u:hush@db", "postgres://")]
    {
        let error = resolve(&[KEY, &format!("--database-url={wrong}")]).expect_err(wrong).to_string();
        assert!(error.contains(named) && !error.contains("hush"), "{error}");
    }
}

#[test]
fn every_secret_may_lie_in_a_file() {
    let line = Line::command();
    let secrets: Vec<&str> = line
        .get_arguments()
        .filter(|arg| arg.is_hide_env_values_set())
        .filter_map(|arg| arg.get_env()?.to_str())
        .collect();
    assert!(secrets.contains(&"DATABASE_URL") && secrets.contains(&"JWT_SIGNING_KEY"), "{secrets:?}");
    for secret in secrets {
        let file = format!("{secret}_FILE");
        assert!(line.get_arguments().any(|arg| arg.get_env().is_some_and(|env| *env == *file)), "{file} is no setting");
    }
}

#[test]
fn a_key_file_brings_its_former_keys_along() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("key");
    std::fs::write(&file, format!("{}\n{}  # former\n", "07".repeat(32), "06".repeat(32))).expect("a file");
    let others = format!("--jwt-previous-keys={}", "05".repeat(32));
    let config = resolve(&[&format!("--jwt-signing-key-file={}", file.display()), &others]).expect("settings");
    assert_eq!(config.jwt_signing_key.as_bytes(), &[7; 32]);
    let former: Vec<u8> = config.jwt_previous_keys.iter().map(|key| key.as_bytes()[0]).collect();
    assert_eq!(former, [6, 5]);
}

#[test]
fn variables_from_elsewhere_are_settings_and_unknown_ones_are_passed_over() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().display().to_string();
    let said = [
        ("JWT_SIGNING_KEY", "07".repeat(32)),
        ("DM_REPLIES", "true".to_owned()),
        ("DATA_DIR", data),
        ("OTHER", "x".to_owned()),
    ];
    let config = Config::from_variables(said.map(|(name, value)| (name.to_owned(), value))).expect("settings");
    assert!(config.dm_replies);
    assert_eq!(config.jwt_signing_key.as_bytes(), &[7; 32]);
}

#[test]
fn no_secret_shows_in_what_may_be_logged() {
    let config = resolve(&[KEY, "--database-url=postgres://u:hush@db/x"]).expect("settings");
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && !shown.contains("00112233"), "{shown}");
}

#[test]
fn the_key_of_web_push_is_kept_with_the_private_database_and_otherwise_given() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = format!("--data-dir={}", dir.path().display());
    let public = |config: Config| config.push.key.map(|key| key.public_text());
    let kept = public(resolve(&[&data]).expect("a demo")).expect("a key");
    assert_eq!(public(resolve(&[&data, KEY]).expect("the same database")), Some(kept));

    let database = "--database-url=postgres://db/gapless";
    assert_eq!(public(resolve(&[KEY, database]).expect("a service without Web Push")), None);
    let key = VapidKey::generate().expect("a key");
    let given = format!("--vapid-private-key={}", key.to_text().expose_secret());
    let without_contact = resolve(&[KEY, database, &given]).expect_err("push services want a contact").to_string();
    assert!(without_contact.starts_with("VAPID_SUBJECT is not set"), "{without_contact}");
    let contact = "--vapid-subject=mailto:ops@example.org";
    assert_eq!(public(resolve(&[KEY, database, &given, contact]).expect("Web Push")), Some(key.public_text()));
    for (flag, name) in [
        ("--vapid-subject=ops@example.org", "VAPID_SUBJECT"),
        ("--vapid-private-key=hush", "VAPID_PRIVATE_KEY"),
        ("--push-hosts=https://push.example.org", "PUSH_HOSTS"),
    ] {
        let error = resolve(&[KEY, database, flag]).expect_err(flag).to_string();
        assert!(error.starts_with(name) && !error.contains("hush"), "{error}");
    }
}
