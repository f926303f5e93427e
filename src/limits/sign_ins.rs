//! Passwords that are tried: guessing is bounded, and nobody keeps the owner of an account out by guessing.
//!
//! Only wrong passwords count. They count for the account *and* the address they came from, so a stranger who guesses
//! uses up nobody's tries but those of the stranger's own address. What one address tries on many accounts counts for the
//! address, but not against an account that it has signed in to before. What a crowd of addresses tries on one account
//! is slowed by a pause, and never refused: a refusal would keep the owner out as well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::Address;
use super::budget::Rate;
use super::failures::Failures;
use super::known::Known;
use crate::error::Result;

/// Wrong passwords for one account from one address: guessing stays hopeless for years.
const PER_ACCOUNT_AND_ADDRESS: Rate = Rate::per_minute(10);
/// Wrong passwords from one address.
const PER_ADDRESS: Rate = Rate::per_minute(30);
/// Wrong passwords for one account from everywhere, before the others there are slowed.
const PER_ACCOUNT: Rate = Rate::per_minute(30);
/// How long a crowd's next try waits. With hashing and the database after it, the answer is still in time.
const PAUSE: Duration = Duration::from_secs(1);
/// How many may wait so. With more than that the others go on at once: to refuse them would be to keep owners out.
const WAITING: usize = 1_024;

/// See the [module](self).
pub(super) struct SignIns {
    by_account_and_address: Failures,
    by_address: Failures,
    by_account: Failures,
    known: Known,
    waiting: Semaphore,
}

/// One password that is being checked. It counts as no failure unless it is said to be [wrong](Self::wrong).
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
            known: Known::new(),
            waiting: Semaphore::new(WAITING),
        }
    }

    pub(super) fn remember(&self, account: &str, address: Address) {
        self.known.remember(account, address);
    }

    /// Counts a try in advance, and waits where a crowd is guessing.
    pub(super) async fn admit(self: Arc<Self>, account: &str, address: Address) -> Result<Attempt> {
        let now = Instant::now();
        self.by_account_and_address.take(&(account, address), now)?;
        let attempt = Attempt { sign_ins: Some(Arc::clone(&self)), account: account.to_owned(), address };
        if !self.known.knows(account, address) {
            self.by_address.check(&address, now)?;
            if !self.by_account.excess(account, now).is_zero()
                && let Ok(_place) = self.waiting.try_acquire()
            {
                super::hit("sign_ins_slowed");
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(attempt)
    }
}

impl Attempt {
    /// For where rates are not limited.
    pub(super) fn unlimited(account: &str, address: Address) -> Self {
        Self { sign_ins: None, account: account.to_owned(), address }
    }

    /// The password was wrong.
    pub fn wrong(mut self) {
        if let Some(sign_ins) = self.sign_ins.take() {
            let now = Instant::now();
            sign_ins.by_address.count(&self.address, now);
            sign_ins.by_account.count(self.account.as_str(), now);
        }
    }

    /// The password was right: the address is the account's from now on.
    pub fn right(self) {
        if let Some(sign_ins) = &self.sign_ins {
            sign_ins.remember(&self.account, self.address);
        }
    }
}

/// Whatever was not found wrong was no failure: right, or not checked at all.
impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(sign_ins) = self.sign_ins.take() {
            sign_ins.by_account_and_address.give_back(&(self.account.as_str(), self.address));
        }
    }
}
