//! Address of a caller for limits: the connection's peer, or the client that a trusted proxy names.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;

use super::Limits;
use crate::realtime::replay::Share;

/// Address of a caller. Households and single servers are assigned a whole IPv6 /64, so a /64 counts as one address; an
/// IPv4-mapped IPv6 address counts as the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl Address {
    /// Groups callers by address for fair shares of scarce resources.
    pub fn share(self) -> Share {
        Share(BuildHasherDefault::<DefaultHasher>::default().hash_one(self))
    }
}

/// The peer of the request's connection; if that is a trusted proxy, the client that it names. Requests without a
/// connection (made within the program) share the unspecified address.
impl<S: Sync> FromRequestParts<S> for Address
where
    Arc<Limits>: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Ok(Self(Ipv6Addr::UNSPECIFIED.into()));
        };
        let limits = <Arc<Limits>>::from_ref(state);
        let proxy = limits.trusted_proxy.as_ref();
        Ok(proxy.map_or(peer.ip(), |proxy| proxy.client(peer.ip(), &parts.headers)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_address() {
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
    }

    #[test]
    fn an_ipv4_address_is_itself_however_it_is_written() {
        assert_eq!(address("203.0.113.7"), address("::ffff:203.0.113.7"));
        assert_ne!(address("203.0.113.7"), address("203.0.113.8"));
    }
}
