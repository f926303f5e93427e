//! Password hashing: slow on purpose, without slowing down the chat.
//!
//! Argon2id costs 19 MiB and tens of milliseconds of a core for each guess, for an attacker and for this server. So it
//! runs on blocking threads, at most one per core, behind a bounded queue. Addresses take turns, so that one address
//! cannot fill the queue for all others: see [`turns`].

mod turns;

use std::net::{IpAddr, Ipv6Addr};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};

use self::turns::Turns;
use crate::error::Error;
use crate::limits::Address;

/// Memory per hash in KiB, iterations and lanes: the second choice of the OWASP password storage cheat sheet for
/// Argon2id (as strong as the first, with less memory).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Maximum queue length per worker: about two seconds' work, which is less than a caller waits for an answer. Beyond
/// it, the newest caller of the address with the longest queue is asked to retry later.
const WAITING_PER_WORKER: usize = 64;

/// Hash of the empty password. A sign-in to an account that does not exist is checked against it, so that it takes as
/// long as one that does. The result of that check is ignored.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$Z2FwbGVzcyBkZWNveSAwMQ$G7NMRbiVjk2ZGqdxuUvhMtdI+7orRFPRnjF8nzbEp/w";

/// Bounded pool of threads that hash and check passwords. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    turns: Turns<Address>,
}

impl Passwords {
    /// Creates a pool with one worker per core.
    #[must_use]
    pub fn new() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_capacity(workers, workers * WAITING_PER_WORKER)
    }

    fn with_capacity(workers: usize, waiting: usize) -> Self {
        Self { turns: Turns::new(workers, waiting) }
    }

    /// Hashes a new password to a PHC string with its own salt. Used by operator commands, which have no caller's
    /// address.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the queue is full.
    pub async fn hash(&self, password: SecretString) -> Result<String, Error> {
        self.hash_for(IpAddr::from(Ipv6Addr::UNSPECIFIED).into(), password).await
    }

    /// Like `hash`, for a caller from this address.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the queue is full.
    pub async fn hash_for(&self, address: Address, password: SecretString) -> Result<String, Error> {
        self.work(address, move || {
            argon2()
                .hash_password(password.expose_secret().as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error| Error::Internal(anyhow::anyhow!("cannot hash a password: {error}")))
        })
        .await?
    }

    /// Returns whether `password` matches `hash`. Without a hash the result is false, after the same amount of work:
    /// there is no such user, or the hash is empty, in which case no password opens the account until one is set.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the queue is full.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, Error> {
        self.verify_for(IpAddr::from(Ipv6Addr::UNSPECIFIED).into(), password, hash).await
    }

    /// Like `verify`, for a caller from this address.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many are waiting.
    pub async fn verify_for(
        &self,
        address: Address,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        self.work(address, move || {
            let hash = hash.filter(|hash| !hash.is_empty());
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(DECOY);
            let hash = PasswordHash::new(hash)
                .map_err(|error| Error::Internal(anyhow::anyhow!("cannot read a stored password hash: {error}")))?;
            let matches = argon2().verify_password(password.expose_secret().as_bytes(), &hash).is_ok();
            Ok(matches && known)
        })
        .await?
    }

    /// # Cancellation
    /// Dropped while queued, it leaves the queue and nothing has run. Dropped while running, the work continues to its
    /// end and keeps its worker until then, so the limit holds.
    async fn work<T: Send + 'static>(
        &self,
        address: Address,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turns.take(address).await.map_err(|_| Error::unavailable())?;
        tokio::task::spawn_blocking(move || {
            let _held = turn;
            task()
        })
        .await
        .map_err(|error| Error::Internal(error.into()))
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("Correct horse".into(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn two_users_with_one_password_have_different_hashes() {
        let passwords = Passwords::new();
        let (one, other) = (passwords.hash("same".into()).await.unwrap(), passwords.hash("same".into()).await.unwrap());
        assert_ne!(one, other);
    }

    #[tokio::test]
    async fn an_unknown_user_costs_the_same_work_and_is_never_let_in() {
        let ours = PasswordHash::new(DECOY).unwrap();
        let params = Params::try_from(&ours).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        // Even for the decoy's own password.
        assert!(argon2().verify_password(b"", &ours).is_ok());
        assert!(!Passwords::new().verify("".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn one_address_that_fills_the_queue_keeps_nobody_else_out() {
        let passwords = Passwords::with_capacity(1, 4);
        let [stranger, other] = [[203, 0, 113, 1], [203, 0, 113, 2]].map(|bytes| Address::from(IpAddr::from(bytes)));
        let busy = passwords.turns.take(stranger).await.expect("nobody is at work");
        let hash_for = |address| passwords.hash_for(address, "anything".into());
        let mut flood: Vec<_> = std::iter::repeat_with(|| Box::pin(hash_for(stranger))).take(4).collect();
        let mut context = Context::from_waker(Waker::noop());
        assert!(flood.iter_mut().all(|waiting| waiting.as_mut().poll(&mut context).is_pending()));
        assert!(matches!(hash_for(stranger).await, Err(Error::Unavailable { .. })), "its own share is all of it");

        let mut served = Box::pin(hash_for(other));
        assert!(served.as_mut().poll(&mut context).is_pending());
        let last = flood.pop().expect("four of them");
        assert!(matches!(last.await, Err(Error::Unavailable { .. })), "the flood made room");
        drop(busy);
        let (_first, hash) = tokio::join!(flood.remove(0), served);
        assert!(hash.is_ok());
    }
}
