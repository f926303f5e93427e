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
mod searches;
mod sign_ins;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::SemaphorePermit;

use crate::config::{Config, TrustedProxy};
use crate::error::Result;
use crate::id::UserId;

pub use address::Address;
pub use concurrency::{LimitReached, Permit};
pub use sign_ins::Attempt;

use budget::{Budget, Rate};
use concurrency::ConcurrencyLimit;
use failures::Failures;
use searches::Searches;
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
/// Test notifications per user: each is a request to a push service.
const PUSH_TESTS_PER_USER: Rate = Rate::per_minute(6).at_once(3);
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
    searches: Searches,
}

struct Rates {
    requests_by_address: Budget,
    requests_by_user: Budget,
    sign_ins: Arc<SignIns>,
    sign_ups_by_address: Budget,
    sign_ups: Failures,
    stream_openings_by_address: Budget,
    stream_openings_by_user: Budget,
    push_tests_by_user: Budget,
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
            searches: Searches::new(config.rate_limits),
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

    /// Counts one test notification of a user.
    pub fn admit_push_test(&self, user: UserId) -> Result<()> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.push_tests_by_user.take(&user))
    }

    /// Admits one search of a user or, without one, a guest at this address; may wait for others to finish.
    ///
    /// # Errors
    /// [`TooManyRequests`](crate::error::Error::TooManyRequests), or
    /// [`Unavailable`](crate::error::Error::Unavailable) while there are too many of others.
    pub async fn admit_search(&self, address: Address, user: Option<UserId>) -> Result<SemaphorePermit<'_>> {
        self.searches.admit(address, user).await
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
            push_tests_by_user: Budget::new("push_tests_by_user", PUSH_TESTS_PER_USER),
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
mod tests;
