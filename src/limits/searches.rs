//! Limits on searches, each of which may keep a core of the database busy for some tenths of a second.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Address;
use super::budget::{Budget, Rate};
use crate::error::{Error, Result};
use crate::id::UserId;

/// Searches of one user, or of the guests at one address: somebody who sees results while typing stays below.
const EACH: Rate = Rate::per_second(4).at_once(40);
/// Searches at a time on this instance, so that they leave connections and cores to everything else.
const AT_ONCE: usize = 2;
/// Time to wait for those of others.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the [module](self).
pub(super) struct Searches {
    /// By user and by address; `None` if rate limits are off.
    rates: Option<(Budget, Budget)>,
    running: Semaphore,
}

impl Searches {
    pub(super) fn new(rate_limits: bool) -> Self {
        let rates =
            rate_limits.then(|| (Budget::new("searches_by_user", EACH), Budget::new("searches_by_address", EACH)));
        Self { rates, running: Semaphore::new(AT_ONCE) }
    }

    pub(super) async fn admit(&self, address: Address, user: Option<UserId>) -> Result<SemaphorePermit<'_>> {
        if let Some((by_user, by_address)) = &self.rates {
            user.map_or_else(|| by_address.take(&address), |user| by_user.take(&user))?;
        }
        let Ok(permit) = timeout(PATIENCE, self.running.acquire()).await else {
            super::hit("searches");
            return Err(Error::unavailable());
        };
        Ok(permit.expect("the semaphore is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_searches_is_refused_and_others_are_served() {
        let searches = Searches::new(true);
        let address: Address = IpAddr::from([203, 0, 113, 1]).into();
        let mut served = 0;
        for _ in 0..100 {
            served += usize::from(searches.admit(address, None).await.is_ok());
        }
        assert!((40..60).contains(&served), "{served} of 100 of a guest");
        assert!(searches.admit(address, Some(UserId::new())).await.is_ok(), "a user at the same address");
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_waits_for_others_but_not_for_long() {
        let searches = Searches::new(false);
        let address: Address = IpAddr::from([203, 0, 113, 1]).into();
        let first = searches.admit(address, None).await.unwrap();
        let _second = searches.admit(address, None).await.unwrap();
        let refused = searches.admit(address, None).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable { .. }));
        drop(first);
        assert!(searches.admit(address, None).await.is_ok());
    }
}
