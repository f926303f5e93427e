//! Limits on password guessing that never lock the owner of an account out.
//!
//! Only wrong passwords count. They count for the pair of account *and* address, so a stranger's guesses use up the
//! tries of the stranger's own address only. The failures of one address on many accounts count for the address, but
//! not against an account that it has signed in to before. Guesses from many addresses at one account are delayed and
//! never refused: refusing them would lock the owner out as well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::Address;
use super::budget::Rate;
use super::failures::Failures;
use super::known_addresses::KnownAddresses;
use crate::error::Result;

/// Wrong passwords for one account from one address: guessing would take years.
const PER_ACCOUNT_AND_ADDRESS: Rate = Rate::per_minute(10);
/// Wrong passwords from one address.
const PER_ADDRESS: Rate = Rate::per_minute(30);
/// Wrong passwords for one account from all addresses, before unknown addresses are delayed.
const PER_ACCOUNT: Rate = Rate::per_minute(30);
/// Delay of a try while many addresses are guessing. Including hashing and the database, the response is still in time.
const PAUSE: Duration = Duration::from_secs(1);
/// Maximum number of delayed tries. Beyond it, tries proceed at once: refusing them would lock owners out.
const WAITING: usize = 1_024;

/// See the [module](self).
pub(super) struct SignIns {
    by_account_and_address: Failures,
    by_address: Failures,
    by_account: Failures,
    known: KnownAddresses,
    waiting: Semaphore,
}

/// One password check. It does not count as a failure unless it is marked as [wrong](Self::wrong).
#[must_use = "say what became of it"]
pub struct Attempt {
    sign_ins: Option<Arc<SignIns>>,
    account: String,
    address: Address,
}

impl SignIns {
    pub(super) fn new() -> Self {
        Self {
            by_account_and_address: Failures::new("sign_ins_by_account", PER_ACCOUNT_AND_ADDRESS),
            by_address: Failures::new("sign_ins_by_address", PER_ADDRESS),
            by_account: Failures::new("sign_ins_by_account_everywhere", PER_ACCOUNT),
            known: KnownAddresses::new(),
            waiting: Semaphore::new(WAITING),
        }
    }

    pub(super) fn remember(&self, account: &str, address: Address) {
        self.known.remember(account, address);
    }

    /// Counts a failure in advance, and waits if many addresses are guessing.
    pub(super) async fn admit(self: Arc<Self>, account: &str, address: Address) -> Result<Attempt> {
        let now = Instant::now();
        self.by_account_and_address.take(&(account, address), now)?;
        let attempt = Attempt { sign_ins: Some(Arc::clone(&self)), account: account.to_owned(), address };
        if !self.known.knows(account, address) {
            self.by_address.check(&address, now)?;
            if !self.by_account.excess(account, now).is_zero()
                && let Ok(_permit) = self.waiting.try_acquire()
            {
                super::hit("sign_ins_slowed");
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(attempt)
    }
}

impl Attempt {
    /// An unlimited try, for when rates are not limited.
    pub(super) fn unlimited(account: &str, address: Address) -> Self {
        Self { sign_ins: None, account: account.to_owned(), address }
    }

    /// The password was wrong: keeps the counted failure.
    pub fn wrong(mut self) {
        if let Some(sign_ins) = self.sign_ins.take() {
            let now = Instant::now();
            sign_ins.by_address.count(&self.address, now);
            sign_ins.by_account.count(self.account.as_str(), now);
        }
    }

    /// The password was right: from now on the address is known for the account.
    pub fn right(self) {
        if let Some(sign_ins) = &self.sign_ins {
            sign_ins.remember(&self.account, self.address);
        }
    }
}

/// A check not marked as wrong is no failure: the password was right, or it was not checked at all.
impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(sign_ins) = self.sign_ins.take() {
            sign_ins.by_account_and_address.give_back(&(self.account.as_str(), self.address));
        }
    }
}
