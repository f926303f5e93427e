//! The hosts to which notifications may be sent. A browser says where its notifications go, so without this list any
//! user could make the server send requests to any address.

use std::net::IpAddr;

use anyhow::bail;
use axum::http::Uri;
use axum::http::uri::{Authority, Scheme};

/// Push services of browsers: Chromium, Firefox, Edge and Safari. A name that begins with a dot stands for all hosts
/// below it.
const KNOWN: [&str; 4] = ["fcm.googleapis.com", ".push.services.mozilla.com", ".notify.windows.com", ".push.apple.com"];

/// The known push services, and those of the setting `PUSH_HOSTS`.
#[derive(Debug, Clone, Default)]
pub struct PushHosts(Vec<Authority>);

impl PushHosts {
    /// Parses `host` and `host:port`, separated by commas.
    ///
    /// # Errors
    ///
    /// Names the entry that is neither.
    pub fn parse(list: Option<&str>) -> anyhow::Result<Self> {
        let entries = list.unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut hosts = Vec::new();
        for entry in entries {
            match entry.to_ascii_lowercase().parse::<Authority>() {
                Ok(host) if !entry.contains(['@', '*', '/']) && !host.host().is_empty() => hosts.push(host),
                _ => bail!("{entry} is not a host; write host or host:port, without https://"),
            }
        }
        Ok(Self(hosts))
    }

    /// Returns whether notifications may be sent there: over TLS, or on this machine if the setting names the port.
    pub fn allow(&self, endpoint: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (endpoint.scheme(), endpoint.authority()) else { return false };
        // Names of users are part of the authority.
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host().to_ascii_lowercase();
        let port = endpoint.port_u16();
        let is_listed =
            |listed: &Authority| listed.host() == host && port.unwrap_or(443) == listed.port_u16().unwrap_or(443);
        if *scheme == Scheme::HTTPS {
            return (port.is_none_or(|port| port == 443) && is_known(&host)) || self.0.iter().any(is_listed);
        }
        *scheme == Scheme::HTTP && is_loopback(&host) && port.is_some() && self.0.iter().any(is_listed)
    }
}

fn is_known(host: &str) -> bool {
    KNOWN.iter().any(|known| if known.starts_with('.') { host.ends_with(known) } else { host == *known })
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://fcm.googleapis.com/fcm/send/abc:def", true)]
    #[case("https://FCM.googleapis.com:443/fcm/send/abc", true)]
    #[case("https://updates.push.services.mozilla.com/wpush/v2/abc", true)]
    #[case("https://wns2-par02p.notify.windows.com/w/?token=abc", true)]
    #[case("https://web.push.apple.com/abc", true)]
    #[case("https://push.example.org:8443/abc", true)]
    #[case("http://127.0.0.1:4000/abc", true)]
    #[case("https://push.example.org/abc", false)]
    #[case("http://fcm.googleapis.com/abc", false)]
    #[case("http://fcm.googleapis.com:443/abc", false)]
    #[case("https://fcm.googleapis.com:8443/abc", false)]
    #[case("https://fcm.googleapis.com.example.org/abc", false)]
    #[case("https://evilpush.apple.com/abc", false)]
    #[case("https://push.apple.com/abc", false)]
    #[case("https://fcm.googleapis.com@example.org/abc", false)]
    #[case("https://example.org#@fcm.googleapis.com/abc", false)]
    #[case("https://fcm.googleapis.com./abc", false)]
    #[case("http://push.example.org:8443/abc", false)]
    #[case("http://127.0.0.1/abc", false)]
    #[case("http://127.0.0.1:4001/abc", false)]
    #[case("http://169.254.169.254/latest", false)]
    #[case("http://[::1]:4000/abc", false)]
    #[case("/abc", false)]
    #[case("ftp://fcm.googleapis.com/abc", false)]
    fn only_listed_hosts_are_allowed(#[case] endpoint: &str, #[case] expected: bool) {
        let hosts = PushHosts::parse(Some("127.0.0.1:4000, push.example.org:8443,")).unwrap();
        assert_eq!(endpoint.parse::<Uri>().is_ok_and(|endpoint| hosts.allow(&endpoint)), expected, "{endpoint}");
    }

    #[test]
    fn an_entry_that_is_no_host_is_named() {
        for wrong in ["https://push.example.org", "*.example.org", "a@b", "a b", "push.example.org/x"] {
            let error = PushHosts::parse(Some(&format!("ok.example.org,{wrong}"))).unwrap_err().to_string();
            assert!(error.starts_with(wrong), "{error}");
        }
    }
}
