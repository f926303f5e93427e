//! `TRUSTED_PROXY`: the proxies whose header with the client's address is trusted.
//!
//! Anybody can send that header. So it counts only on a connection from a configured proxy, and in a list only up to
//! the first address that is no such proxy: everything to the left of it was written by the client.

use std::net::IpAddr;

use anyhow::Context as _;
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Means every network that is not reachable from the Internet: loopback, RFC 1918, link-local, and unique local IPv6
/// (RFC 4193). Behind a platform's proxy, nobody else can connect from there.
const PRIVATE: &str = "private";
const PRIVATE_NETWORKS: [&str; 8] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxy {
    networks: Vec<IpNet>,
    header: HeaderName,
}

impl TrustedProxy {
    /// # Errors
    ///
    /// Names the value that is neither an address nor a network, or the invalid header name.
    pub fn parse(said: Option<&str>, header: &str) -> anyhow::Result<Option<Self>> {
        let words = said.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
        let mut networks = Vec::new();
        for word in words {
            if word == PRIVATE {
                networks.extend(PRIVATE_NETWORKS.map(|text| network(text).expect("a network")));
            } else {
                networks.push(network(word)?);
            }
        }
        if networks.is_empty() {
            return Ok(None);
        }
        let header =
            header.parse().with_context(|| format!("CLIENT_ADDRESS_HEADER: `{header}` is not a valid header name"))?;
        Ok(Some(Self { networks, header }))
    }

    /// Returns whether `peer` is a trusted proxy.
    pub fn is(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.contains(&peer))
    }

    /// Returns the client's address of a request on a connection from `peer`. Without a trusted and valid header it is
    /// `peer`.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.is(peer) {
            return peer;
        }
        let told: Vec<&str> = headers.get_all(&self.header).iter().filter_map(|value| value.to_str().ok()).collect();
        let mut nearest = peer;
        for hop in told.iter().rev().flat_map(|value| value.rsplit(',')) {
            let Some(address) = address(hop.trim()) else { break };
            nearest = address;
            if !self.is(address) {
                break;
            }
        }
        nearest
    }
}

/// Parses an address as proxies write it: with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let alone = text.parse().ok();
    alone.or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip())).or_else(|| {
        let bracketed = text.strip_prefix('[')?.strip_suffix(']')?;
        bracketed.parse().ok()
    })
}

/// Parses a network or a single address.
fn network(text: &str) -> anyhow::Result<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    text.parse().with_context(|| format!("`{text}` is not an address, a network such as 10.0.0.0/8, or `private`"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn client(trusted: &str, peer: &str, told: &[&str]) -> String {
        let proxy = TrustedProxy::parse(Some(trusted), "X-Forwarded-For").unwrap().unwrap();
        let mut headers = HeaderMap::new();
        for value in told {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        proxy.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[rstest]
    #[case::the_proxy_tells(PROXY, PROXY, &["203.0.113.7"], "203.0.113.7")]
    #[case::a_stranger_is_not_believed(PROXY, "198.51.100.1", &["203.0.113.7"], "198.51.100.1")]
    #[case::what_the_caller_wrote_stands_left(PROXY, PROXY, &["1.2.3.4, 203.0.113.7"], "203.0.113.7")]
    #[case::nor_does_a_line_of_its_own_help(PROXY, PROXY, &["1.2.3.4", "203.0.113.7"], "203.0.113.7")]
    #[case::proxies_in_a_row("10.0.0.0/24", PROXY, &["1.2.3.4, 203.0.113.7, 10.0.0.9"], "203.0.113.7")]
    #[case::nothing_told(PROXY, PROXY, &[], PROXY)]
    #[case::nonsense_told(PROXY, PROXY, &["unknown"], PROXY)]
    #[case::nonsense_left_of_a_proxy("10.0.0.0/24", PROXY, &["nobody, 10.0.0.9"], "10.0.0.9")]
    #[case::private("private", "172.19.3.4", &["203.0.113.7"], "203.0.113.7")]
    #[case::ipv6("fdaa::/16", "fdaa:0:1::3", &["2001:db8::7"], "2001:db8::7")]
    #[case::a_v4_proxy_on_a_v6_socket(PROXY, "::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7")]
    #[case::with_a_port(PROXY, PROXY, &["203.0.113.7:51234"], "203.0.113.7")]
    #[case::with_brackets(PROXY, PROXY, &["[2001:db8::7]"], "2001:db8::7")]
    fn the_nearest_address_that_no_proxy_has_is_the_caller(
        #[case] trusted: &str,
        #[case] peer: &str,
        #[case] told: &[&str],
        #[case] found: &str,
    ) {
        assert_eq!(client(trusted, peer, told), found);
    }

    #[test]
    fn a_network_is_as_wide_as_it_says() {
        for (text, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("::/0", "2001:db8::", "1.2.3.4"),
            ("fc00::/7", "fd12::1", "fe00::"),
        ] {
            let network: IpNet = network(text).unwrap();
            assert!(
                network.contains(&inside.parse::<IpAddr>().unwrap())
                    && !network.contains(&outside.parse::<IpAddr>().unwrap()),
                "{network:?}"
            );
        }
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0.0/-1", "proxy.example", "10.0.0.0/"] {
            assert!(TrustedProxy::parse(Some(wrong), "x-forwarded-for").is_err(), "{wrong}");
        }
        assert_eq!(TrustedProxy::parse(Some(" , "), "x-forwarded-for").unwrap(), None);
        assert!(TrustedProxy::parse(Some(PROXY), "not a name").is_err());
    }
}
