//! An invitation's code: what a newcomer shows where not everybody may sign up.

use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Signs that survive being read aloud: one case, and none that is easily taken for another.
const SIGNS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// 26 of 31 signs make 128 bits: as little to be guessed as a key.
const LENGTH: usize = 26;

/// A code, of which the database keeps a digest only. Its bits are too many to guess, and so one fast hash without
/// salt is enough.
#[derive(Clone)]
pub struct InvitationCode(SecretString);

/// What the database knows an invitation by.
pub type CodeDigest = [u8; 32];

impl InvitationCode {
    /// A code of chance.
    pub fn random() -> Self {
        let mut chance = rand::rng();
        let signs = (0..LENGTH).map(|_| char::from(SIGNS[chance.random_range(..SIGNS.len())]));
        Self(signs.collect::<String>().into())
    }

    /// A code as somebody shows it, with what copying leaves around it. Any text may be tried; only ours are known.
    pub fn shown(text: &SecretString) -> Self {
        Self(text.expose_secret().trim().to_ascii_lowercase().into())
    }

    /// What the database is asked for.
    pub fn digest(&self) -> CodeDigest {
        Sha256::digest(self.0.expose_secret()).into()
    }

    /// Whether there is nothing but space.
    pub fn is_empty(&self) -> bool {
        self.0.expose_secret().is_empty()
    }

    /// The code itself, to be shown once to whoever made the invitation.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_long_different_each_time_and_known_again_however_it_was_copied() {
        let (code, other) = (InvitationCode::random(), InvitationCode::random());
        assert_eq!(code.expose().len(), LENGTH);
        assert_ne!(code.digest(), other.digest());
        let copied = format!(" {}\n", code.expose().to_ascii_uppercase());
        assert_eq!(InvitationCode::shown(&copied.into()).digest(), code.digest());
        assert!(InvitationCode::shown(&" ".into()).is_empty());
    }
}
