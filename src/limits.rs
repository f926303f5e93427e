//! Limits per user and per address, so that nobody can crowd out the others.
//!
//! Rates (requests, sign-ins, sign-ups) are refused with 429 and the time to wait; connections and streams are limited
//! by how many are open at a time. Limits are per instance: they protect this process. With `RATE_LIMITS=off` there are
//! no limits per user or address, only those of the whole instance.

mod address;
mod budget;
mod concurrency;
mod failures;
mod known_addresses;
mod sign_ins;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::config::{Config, TrustedProxy};
use crate::error::Result;
use crate::id::UserId;

pub use address::Address;
pub use concurrency::{LimitReached, Permit};
pub use sign_ins::Attempt;

use budget::{Budget, Rate};
use concurrency::ConcurrencyLimit;
use failures::Failures;
use sign_ins::SignIns;

/// Requests per address: normal use by an office behind one address stays below, a flood does not.
const REQUESTS_PER_ADDRESS: Rate = Rate::per_second(100).at_once(400);
/// Requests per user: the fastest typist with every device open stays far below.
const REQUESTS_PER_USER: Rate = Rate::per_second(20).at_once(100);
/// New accounts per address.
const SIGN_UPS_PER_ADDRESS: Rate = Rate::per_minute(5).at_once(20);
/// New accounts from all addresses together: enough for a crowd that arrives at once, and a bound for a flood from a
/// thousand addresses.
const SIGN_UPS: Rate = Rate::per_minute(20).at_once(200);
/// Open streams per user: one for each browser, and more for browsers whose tabs cannot share one.
const STREAMS_PER_USER: usize = 64;
/// Rate of opening streams per user; a browser that reloads as fast as it can stays below.
const STREAM_OPENINGS_PER_USER: Rate = Rate::per_second(4).at_once(2 * 64);
/// Rate of opening streams per address, once it has opened twice as many as it may hold at a time: after a restart, all
/// readers of an office reconnect at once, and again after the next restart.
const STREAM_OPENINGS_PER_ADDRESS: Rate = Rate::per_second(16);
/// Connections per address in addition to its streams, for short requests.
const OTHER_CONNECTIONS_PER_ADDRESS: usize = 256;
const OTHER_CONNECTIONS: usize = 4_096;

/// All limits of this instance.
pub struct Limits {
    /// `None` if rate limits are off.
    rates: Option<Rates>,
    connections: ConcurrencyLimit<Address>,
    /// Connections of a proxy belong to many clients, so they are not limited per address.
    trusted_proxy: Option<TrustedProxy>,
    streams: ConcurrencyLimit<Address>,
    streams_of_users: ConcurrencyLimit<UserId>,
}

struct Rates {
    requests_by_address: Budget,
    requests_by_user: Budget,
    sign_ins: Arc<SignIns>,
    sign_ups_by_address: Budget,
    sign_ups: Failures,
    stream_openings_by_address: Budget,
    stream_openings_by_user: Budget,
}

/// A permit for a stream: counted for its address and, if signed in, its user.
#[must_use = "a permit is held for as long as this lives"]
pub struct StreamPermit {
    _of_address: Permit<Address>,
    _of_user: Option<Permit<UserId>>,
}

impl Limits {
    /// Creates the limits from the configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let share = |share: usize| if config.rate_limits { share } else { usize::MAX };
        let per_address = config.max_streams_per_address;
        Self {
            rates: config.rate_limits.then(|| Rates::new(per_address)),
            connections: ConcurrencyLimit::new(
                config.max_streams.saturating_add(OTHER_CONNECTIONS),
                share(per_address.saturating_add(OTHER_CONNECTIONS_PER_ADDRESS)),
            ),
            trusted_proxy: config.trusted_proxy.clone(),
            streams: ConcurrencyLimit::new(config.max_streams, share(per_address)),
            streams_of_users: ConcurrencyLimit::new(usize::MAX, share(STREAMS_PER_USER)),
        }
    }

    /// Takes a permit for one more connection from `peer`. The accept loop closes connections that get none.
    pub fn connect(&self, peer: IpAddr) -> Result<Permit<Address>, LimitReached> {
        let is_proxy = self.trusted_proxy.as_ref().is_some_and(|proxy| proxy.is(peer));
        let permit =
            if is_proxy { self.connections.take_beyond_share(peer.into()) } else { self.connections.take(peer.into()) };
        permit.inspect_err(|reached| hit(reached.of("connections", "connections_by_address")))
    }

    /// Returns whether so many connections that are not streams are open, in total or from the address of `peer`, that
    /// idle ones should be closed. A trusted proxy is not limited per address.
    pub fn is_crowded(&self, peer: IpAddr) -> bool {
        let in_all = self.connections.held().saturating_sub(self.streams.held());
        let is_proxy = self.trusted_proxy.as_ref().is_some_and(|proxy| proxy.is(peer));
        let of_peer = self.connections.held_by(peer.into()).saturating_sub(self.streams.held_by(peer.into()));
        in_all > OTHER_CONNECTIONS / 2
            || (self.rates.is_some() && !is_proxy && of_peer > OTHER_CONNECTIONS_PER_ADDRESS / 2)
    }

    /// Takes a permit for one more stream. A caller that gets none receives `bye busy`.
    pub fn open_stream(&self, address: Address, user: Option<UserId>) -> Result<StreamPermit, LimitReached> {
        if let Some(rates) = &self.rates {
            // The user first: one user in a loop must not use up the budget of others at the same address.
            user.map(|user| rates.stream_openings_by_user.take(&user)).transpose().map_err(|_| LimitReached::Share)?;
            rates.stream_openings_by_address.take(&address).map_err(|_| LimitReached::Share)?;
        }
        Ok(StreamPermit {
            _of_address: self
                .streams
                .take(address)
                .inspect_err(|reached| hit(reached.of("streams", "streams_by_address")))?,
            _of_user: user
                .map(|user| self.streams_of_users.take(user))
                .transpose()
                .inspect_err(|_| hit("streams_by_user"))?,
        })
    }

    /// Counts one request of `address`.
    ///
    /// # Errors
    /// [`TooManyRequests`](crate::error::Error::TooManyRequests), like everything here that counts a rate.
    pub fn admit_address(&self, address: Address) -> Result<()> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.requests_by_address.take(&address))
    }

    /// Counts one request of a signed-in user.
    pub fn admit_user(&self, user: UserId) -> Result<()> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.requests_by_user.take(&user))
    }

    /// Admits one password check for this name, whether or not the account exists; may wait briefly while many
    /// addresses are guessing.
    pub async fn admit_password(&self, username: &str, address: Address) -> Result<Attempt> {
        match &self.rates {
            Some(rates) => Arc::clone(&rates.sign_ins).admit(username, address).await,
            None => Ok(Attempt::unlimited(username, address)),
        }
    }

    /// Records that the account's holder uses this address: failures of others do not slow them there.
    pub fn remember(&self, username: &str, address: Address) {
        if let Some(rates) = &self.rates {
            rates.sign_ins.remember(username, address);
        }
    }

    /// Counts one attempt to sign up.
    pub fn admit_sign_up(&self, address: Address) -> Result<()> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.sign_ups_by_address.take(&address))
    }

    /// Counts a new account once its caller is allowed to create one: rejected callers must not use up the budget of
    /// others.
    pub fn admit_account(&self) -> Result<()> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.sign_ups.take(&(), Instant::now()))
    }

    /// Gives the budget back: the account was not created.
    pub fn no_account_was_made(&self) {
        if let Some(rates) = &self.rates {
            rates.sign_ups.give_back(&());
        }
    }
}

impl Rates {
    fn new(streams_per_address: usize) -> Self {
        let at_once = u32::try_from(streams_per_address.saturating_mul(2)).unwrap_or(u32::MAX).max(64);
        let stream_openings = STREAM_OPENINGS_PER_ADDRESS.at_once(at_once);
        Self {
            stream_openings_by_address: Budget::new("stream_openings_by_address", stream_openings),
            stream_openings_by_user: Budget::new("stream_openings_by_user", STREAM_OPENINGS_PER_USER),
            requests_by_address: Budget::new("requests_by_address", REQUESTS_PER_ADDRESS),
            requests_by_user: Budget::new("requests_by_user", REQUESTS_PER_USER),
            sign_ins: Arc::new(SignIns::new()),
            sign_ups_by_address: Budget::new("sign_ups_by_address", SIGN_UPS_PER_ADDRESS),
            sign_ups: Failures::new("sign_ups", SIGN_UPS),
        }
    }
}

/// Counts a refusal by this limit.
fn hit(limit: &'static str) {
    metrics::counter!("gapless_limits_hit_total", "limit" => limit).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn limits(rate_limits: bool) -> Limits {
        Limits::new(&Config { rate_limits, max_streams: 4, max_streams_per_address: 2, ..Config::for_tests() })
    }

    fn address(last: u8) -> Address {
        IpAddr::from([203, 0, 113, last]).into()
    }

    /// Tries a wrong password; returns whether it was checked at all.
    async fn guess(limits: &Limits, account: &str, address: Address) -> Result<()> {
        limits.admit_password(account, address).await.map(Attempt::wrong)
    }

    /// Tries the right password.
    async fn sign_in(limits: &Limits, account: &str, address: Address) -> Result<()> {
        limits.admit_password(account, address).await.map(Attempt::right)
    }

    #[tokio::test(start_paused = true)]
    async fn guessing_stops_for_the_address_that_guesses_and_for_nobody_else() {
        let limits = limits(true);
        let guesses = 28;
        let mut checked = 0;
        for _ in 0..guesses {
            checked += usize::from(guess(&limits, "ali", address(1)).await.is_ok());
        }
        assert_eq!(checked, 10, "of one address for one account");
        let refused = guess(&limits, "ali", address(1)).await.unwrap_err();
        assert!(matches!(refused, Error::TooManyRequests { retry_after } if !retry_after.is_zero()));
        for _ in 0..20 {
            sign_in(&limits, "ali", address(2)).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn right_passwords_use_up_nothing() {
        let limits = limits(true);
        for n in 0..1_000 {
            sign_in(&limits, &format!("colleague-{n}"), address(1)).await.unwrap();
            sign_in(&limits, "ali", address(1)).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_tries_many_accounts_stops_but_not_for_those_it_has_signed_in_to() {
        let limits = limits(true);
        sign_in(&limits, "colleague", address(1)).await.unwrap();
        for n in 0..30 {
            guess(&limits, &format!("name-{n}"), address(1)).await.unwrap();
        }
        assert!(guess(&limits, "somebody", address(1)).await.is_err());
        assert!(guess(&limits, "somebody", address(3)).await.is_ok());
        sign_in(&limits, "colleague", address(1)).await.unwrap();
        for _ in 0..10 {
            guess(&limits, "colleague", address(1)).await.unwrap();
        }
        assert!(guess(&limits, "colleague", address(1)).await.is_err(), "there too guessing stops");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_guesses_slows_the_owner_at_most_and_not_where_the_owner_was_before() {
        let limits = limits(true);
        sign_in(&limits, "ali", address(1)).await.unwrap();
        for n in 10..40 {
            guess(&limits, "ali", address(n)).await.unwrap();
        }
        let took = async |address| {
            let began = tokio::time::Instant::now();
            sign_in(&limits, "ali", address).await.unwrap();
            began.elapsed().as_millis()
        };
        assert_eq!(took(address(2)).await, 1_000, "at a new place");
        assert_eq!(took(address(2)).await, 0, "which is one of the owner's now");
        assert_eq!(took(address(1)).await, 0, "at a place of before");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_beyond_those_who_may_wait_is_not_refused() {
        let limits = limits(true);
        for n in 10..40 {
            guess(&limits, "ali", address(n)).await.unwrap();
        }
        let other = |n: u32| Address::from(IpAddr::from(std::net::Ipv4Addr::from_bits(n)));
        let crowd: Vec<_> = (0..1_100).map(|n| guess(&limits, "ali", other(n))).collect();
        let answered = futures_util::future::join_all(crowd).await;
        assert!(answered.iter().all(Result::is_ok));
    }

    #[tokio::test(start_paused = true)]
    async fn a_password_that_was_not_checked_is_no_failure() {
        let limits = limits(true);
        for _ in 0..100 {
            drop(limits.admit_password("ali", address(1)).await.unwrap());
        }
    }

    #[test]
    fn a_flood_of_requests_is_turned_away_and_another_address_served() {
        let limits = limits(true);
        let served = (0..1_000).filter(|_| limits.admit_address(address(1)).is_ok()).count();
        assert!((400..500).contains(&served), "{served} of 1,000 at once");
        assert!(limits.admit_address(address(2)).is_ok());
    }

    #[test]
    fn a_flood_of_accounts_stops_at_each_address_and_in_all() {
        let limits = limits(true);
        let signs_up = |n: u8| limits.admit_sign_up(address(n)).and_then(|()| limits.admit_account()).is_ok();
        assert_eq!((0..100).filter(|_| signs_up(1)).count(), 20, "of one address");
        let made = (2..250).flat_map(|n| [n; 5]).filter(|n| signs_up(*n)).count();
        assert!((180..190).contains(&made), "{made} of all others");
        limits.no_account_was_made();
        assert!(signs_up(251), "one that was not made is anybody's");
    }

    #[test]
    fn streams_are_bounded_by_address_by_user_and_in_all() {
        let limits = limits(true);
        let first = limits.open_stream(address(1), None).unwrap();
        let _second = limits.open_stream(address(1), Some(UserId::new())).unwrap();
        assert_eq!(limits.open_stream(address(1), None).err(), Some(LimitReached::Share));
        let _others = [2, 3].map(|n| limits.open_stream(address(n), None).unwrap());
        assert_eq!(limits.open_stream(address(4), None).err(), Some(LimitReached::Full));
        drop(first);
        assert!(limits.open_stream(address(4), None).is_ok());
    }

    #[test]
    fn idle_connections_make_room_before_there_is_no_place_left() {
        let limits = limits(false);
        let peer = |n: u8| IpAddr::from([203, 0, 113, n]);
        let connect = |n: usize| (0..n).map(|_| limits.connect(peer(1)).unwrap()).collect::<Vec<_>>();
        let mut held = connect(OTHER_CONNECTIONS / 2);
        assert!(!limits.is_crowded(peer(1)));
        held.extend(connect(1));
        assert!(limits.is_crowded(peer(1)) && limits.is_crowded(peer(2)));
        let _stream = limits.open_stream(address(1), None).unwrap();
        assert!(!limits.is_crowded(peer(1)), "one of them is a stream's");
    }

    #[test]
    fn idle_connections_of_one_address_make_room_for_that_address_alone() {
        let limits = Limits::new(&Config { rate_limits: true, ..Config::for_tests() });
        let peer = |n: u8| IpAddr::from([203, 0, 113, n]);
        let mut held: Vec<_> =
            (0..OTHER_CONNECTIONS_PER_ADDRESS / 2).map(|_| limits.connect(peer(1)).unwrap()).collect();
        assert!(!limits.is_crowded(peer(1)));
        held.push(limits.connect(peer(1)).unwrap());
        assert!(limits.is_crowded(peer(1)));
        assert!(!limits.is_crowded(peer(2)));
    }

    #[test]
    fn a_loop_of_openings_is_turned_away_and_a_crowd_that_comes_back_twice_is_not() {
        let limits = Limits::new(&Config { rate_limits: true, ..Config::for_tests() });
        for _ in 0..2 {
            let office: Vec<_> = (0..256).map(|_| limits.open_stream(address(1), None).unwrap()).collect();
            drop(office);
        }
        let opened = (0..1_000).filter(|_| limits.open_stream(address(1), None).is_ok()).count();
        assert!(opened < 100, "{opened} of 1,000 more at once");
        let user = UserId::new();
        let opened = (0..1_000).filter(|_| limits.open_stream(address(2), Some(user)).is_ok()).count();
        assert!((128..140).contains(&opened), "{opened} of 1,000 by one user");
        assert!(limits.open_stream(address(2), None).is_ok(), "another of the same address");
    }

    #[test]
    fn a_user_without_a_place_left_holds_none_of_the_addresses() {
        let limits = Limits::new(&Config { rate_limits: true, ..Config::for_tests() });
        let user = UserId::new();
        let held: Vec<_> = (0..64).map(|n| limits.open_stream(address(n), Some(user)).unwrap()).collect();
        assert_eq!(limits.open_stream(address(99), Some(user)).err(), Some(LimitReached::Share));
        drop(held);
        assert!(limits.open_stream(address(99), Some(user)).is_ok());
    }

    #[tokio::test]
    async fn without_rate_limits_only_the_instances_own_bounds_are_left() {
        let limits = limits(false);
        let user = UserId::new();
        for _ in 0..1_000 {
            limits.admit_address(address(1)).unwrap();
            limits.admit_user(user).unwrap();
            guess(&limits, "ali", address(1)).await.unwrap();
            limits.admit_sign_up(address(1)).unwrap();
            limits.admit_account().unwrap();
        }
        let _held = [(); 4].map(|()| limits.open_stream(address(1), Some(user)).unwrap());
        assert_eq!(limits.open_stream(address(1), Some(user)).err(), Some(LimitReached::Full));
    }
}
