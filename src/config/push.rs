//! Settings of Web Push: notifications to browsers that are closed.

use std::path::Path;
use std::time::Duration;

use anyhow::{anyhow, bail};
use secrecy::SecretString;

use super::{PushHosts, VapidKey};

/// Contact for a key that the program created itself: push services want an address, and the operator gave none.
const DEFAULT_SUBJECT: &str = "mailto:admin@example.org";
/// Interval at which due notifications are looked for.
const POLL: Duration = Duration::from_secs(2);
/// Time limit of one request to a push service.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before the first retry; each further one is twice as long.
const BACKOFF: Duration = Duration::from_secs(10);

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Push {
    /// `VAPID_PRIVATE_KEY`; with the private database one that is kept in `DATA_DIR`. `None` turns Web Push off.
    pub key: Option<VapidKey>,
    /// `VAPID_SUBJECT`
    pub subject: String,
    /// `PUSH_HOSTS`
    pub hosts: PushHosts,
    /// `PUSH_DELAY_SECS`
    pub delay: Duration,
    /// Not configurable, like all that follow.
    pub poll: Duration,
    pub timeout: Duration,
    pub backoff: Duration,
}

/// The settings as given.
pub(super) struct Given<'a> {
    pub key: Option<SecretString>,
    pub subject: Option<&'a str>,
    pub hosts: Option<&'a str>,
    pub delay_secs: u64,
    /// Directory where a missing key is kept.
    pub keeps_key_in: Option<&'a Path>,
}

impl Push {
    pub(super) fn of(given: &Given<'_>) -> anyhow::Result<Self> {
        let key = match (&given.key, given.keeps_key_in) {
            (Some(key), _) => Some(VapidKey::parse(key).map_err(|error| anyhow!("VAPID_PRIVATE_KEY: {error}"))?),
            (None, Some(dir)) => Some(VapidKey::kept_in(dir)?),
            (None, None) => None,
        };
        let subject = match given.subject.filter(|subject| !subject.is_empty()) {
            Some(subject) if is_contact(subject) => subject,
            Some(_) => bail!("VAPID_SUBJECT must be mailto:address or an https URL"),
            None if given.key.is_some() => {
                bail!("VAPID_SUBJECT is not set: push services want mailto:address or an https URL of the operator")
            }
            None => DEFAULT_SUBJECT,
        };
        Ok(Self {
            key,
            subject: subject.to_owned(),
            hosts: PushHosts::parse(given.hosts).map_err(|error| anyhow!("PUSH_HOSTS: {error}"))?,
            delay: Duration::from_secs(given.delay_secs),
            poll: POLL,
            timeout: TIMEOUT,
            backoff: BACKOFF,
        })
    }

    /// Without a key: Web Push is off.
    pub(super) fn off() -> Self {
        Self {
            key: None,
            subject: DEFAULT_SUBJECT.to_owned(),
            hosts: PushHosts::default(),
            delay: Duration::from_mins(1),
            poll: POLL,
            timeout: TIMEOUT,
            backoff: BACKOFF,
        }
    }
}

fn is_contact(subject: &str) -> bool {
    let rest = subject.strip_prefix("mailto:").or(subject.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty()) && !subject.contains(char::is_whitespace)
}
