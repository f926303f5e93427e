//! Parses `REDIS_CONNECTION` in either of two forms: a URL, or the configuration string of .NET's StackExchange.Redis
//! (`host:port,password=…,ssl=True`), which operators of ASP.NET systems already have.

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};

/// Default port of Redis, with and without TLS.
const PORT: u16 = 6379;
const TLS_PORT: u16 = 6380;

/// Converts the address to a URL.
///
/// # Errors
///
/// Names the option that is not supported, never its value, which may be a password.
pub(super) fn to_url(said: &SecretString) -> anyhow::Result<SecretString> {
    let text = said.expose_secret().trim();
    if text.contains("://") {
        return Ok(text.into());
    }
    let mut address = Address::default();
    let mut hosts = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((key, value)) => address.set(key.trim(), value.trim())?,
            None => hosts.push(part),
        }
    }
    match hosts[..] {
        [host] => address.url(host),
        [] => bail!("no host is given; use host:port or a URL (redis://, or rediss:// for TLS)"),
        _ => bail!("several hosts are given; use one address that always leads to the primary"),
    }
}

#[derive(Default)]
struct Address<'a> {
    user: &'a str,
    password: &'a str,
    database: Option<u32>,
    tls: bool,
}

impl<'a> Address<'a> {
    fn set(&mut self, key: &str, value: &'a str) -> anyhow::Result<()> {
        match key.to_ascii_lowercase().as_str() {
            "user" => self.user = value,
            "password" => self.password = value,
            "defaultdatabase" => self.database = Some(value.parse().context("defaultDatabase is not a number")?),
            "ssl" => {
                self.tls = match value.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    _ => bail!("ssl must be True or False"),
                }
            }
            // This program decides its own timeouts and retries; the others concern a client and features that it does
            // not have.
            "abortconnect"
            | "connectretry"
            | "connecttimeout"
            | "synctimeout"
            | "asynctimeout"
            | "responsetimeout"
            | "keepalive"
            | "heartbeatinterval"
            | "heartbeatconsistencychecks"
            | "configcheckseconds"
            | "configchannel"
            | "name"
            | "clientname"
            | "libraryname"
            | "setlib"
            | "allowadmin"
            | "resolvedns"
            | "channelprefix"
            | "sslprotocols"
            | "checkcertificaterevocation"
            | "tiebreaker"
            | "version"
            | "protocol"
            | "writebuffer"
            | "highintegrity"
            | "includedetailinexceptions"
            | "includeperformancecountersinexceptions" => {}
            // Ignoring these would connect to a different server than intended.
            "sslhost" | "servicename" | "proxy" | "tunnel" => {
                bail!("the option `{key}` is not supported; use an address that leads directly to the primary")
            }
            other => bail!("unknown option `{other}`"),
        }
        Ok(())
    }

    fn url(&self, host: &str) -> anyhow::Result<SecretString> {
        // An IPv6 address must be in brackets, otherwise a colon does not begin a port.
        let has_port = match host.rsplit_once(':') {
            Some((name, port)) if name.ends_with(']') || !name.contains(':') => {
                port.parse::<u16>().context("the port is not a number up to 65535")?;
                true
            }
            Some(_) if !host.ends_with(']') => bail!("put the IPv6 address in brackets, as in [::1]:6379"),
            _ => false,
        };
        let scheme = if self.tls { "rediss" } else { "redis" };
        let port = match (has_port, self.tls) {
            (true, _) => String::new(),
            (false, true) => format!(":{TLS_PORT}"),
            (false, false) => format!(":{PORT}"),
        };
        let who = match (self.user, self.password) {
            ("", "") => String::new(),
            (user, password) => format!("{}:{}@", escaped(user), escaped(password)),
        };
        let database = self.database.map_or_else(String::new, |number| format!("/{number}"));
        Ok(format!("{scheme}://{who}{host}{port}{database}").into())
    }
}

/// Percent-encodes whatever is not unreserved in a URL (RFC 3986, section 2.3).
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            _ => write!(escaped, "%{byte:02X}").expect("a string takes any text"),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use redis::IntoConnectionInfo as _;
    use rstest::rstest;

    use super::*;

    fn url(said: &str) -> anyhow::Result<String> {
        to_url(&said.into()).map(|url| url.expose_secret().to_owned())
    }

    #[rstest]
    #[case("redis://u:p@cache:7000/2", "redis://u:p@cache:7000/2")]
    #[case("cache", "redis://cache:6379")]
    #[case("cache:7000", "redis://cache:7000")]
    #[case("cache,ssl=True", "rediss://cache:6380")]
    #[case("cache:6380, password=hush, ssl=True, abortConnect=False", "rediss://:hush@cache:6380")]
    #[case(
        "cache:6379,user=ali,password=p@ss/wörd=,defaultDatabase=3",
        "redis://ali:p%40ss%2Fw%C3%B6rd%3D@cache:6379/3"
    )]
    #[case("cache:6379,allowAdmin=true,syncTimeout=5000,connectRetry=3,name=chat,resolveDns=0", "redis://cache:6379")]
    #[case(
        "chat.redis.cache.windows.net:6380,password=hush=,ssl=True,abortConnect=False,sslprotocols=tls12",
        "rediss://:hush%3D@chat.redis.cache.windows.net:6380"
    )]
    #[case("[::1]:6379", "redis://[::1]:6379")]
    #[case("[::1]", "redis://[::1]:6379")]
    fn both_forms_are_one_address(#[case] said: &str, #[case] meant: &str) {
        assert_eq!(url(said).unwrap(), meant);
        meant.into_connection_info().expect("the client reads it");
    }

    #[rstest]
    #[case("password=hush", "no host")]
    #[case("a:1,b:2", "several hosts")]
    #[case("cache:x,password=hush", "the port")]
    #[case("::1:6379", "brackets")]
    #[case("cache,ssl=perhaps", "True or False")]
    #[case("cache,pasword=hush", "`pasword`")]
    #[case("cache,password=hush,sslHost=other", "`sslHost` is not supported")]
    #[case("sentinel:26379,serviceName=primary", "`serviceName` is not supported")]
    #[case("cache,defaultDatabase=one", "not a number")]
    fn what_is_not_understood_is_named_and_no_secret_shown(#[case] said: &str, #[case] named: &str) {
        let error = format!("{:#}", url(said).unwrap_err());
        assert!(error.contains(named), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}
