//! Addresses known for each account by a previous sign-in: they are not slowed by the failures of others.
//!
//! Kept in this instance's memory, with a fixed size: a restart clears it, and a hash collision may, very rarely,
//! replace an entry. A device is recorded again by its next sign-in or refresh, minutes later.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Address;

/// Maximum number of remembered pairs: 512 KiB.
const PLACES: usize = 1 << 16;

/// See the [module](self).
pub(super) struct KnownAddresses {
    seed: RandomState,
    /// Each slot holds the digest of its latest pair; 0 if empty.
    places: Box<[AtomicU64]>,
}

impl KnownAddresses {
    pub(super) fn new() -> Self {
        Self { seed: RandomState::new(), places: std::iter::repeat_with(AtomicU64::default).take(PLACES).collect() }
    }

    pub(super) fn remember(&self, account: &str, address: Address) {
        let (place, digest) = self.find(account, address);
        place.store(digest, Ordering::Relaxed);
    }

    pub(super) fn knows(&self, account: &str, address: Address) -> bool {
        let (place, digest) = self.find(account, address);
        place.load(Ordering::Relaxed) == digest
    }

    fn find(&self, account: &str, address: Address) -> (&AtomicU64, u64) {
        let digest = self.seed.hash_one((account, address)).max(1);
        let place = usize::try_from(digest % PLACES as u64).expect("there are fewer places than a usize counts");
        (&self.places[place], digest)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_pair_is_known_and_neither_half_of_it() {
        let known = KnownAddresses::new();
        let [home, elsewhere] = [[203, 0, 113, 1], [203, 0, 113, 2]].map(|bytes| Address::from(IpAddr::from(bytes)));
        assert!(!known.knows("ali", home));
        known.remember("ali", home);
        assert!(known.knows("ali", home));
        assert!(!known.knows("ali", elsewhere) && !known.knows("bo", home));
    }
}
