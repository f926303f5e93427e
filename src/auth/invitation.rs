//! Invitation codes, which newcomers need where registration is not open to everybody.

use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Characters that survive being read aloud: a single case, and none that is easily mistaken for another.
const SIGNS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// 26 characters out of 31 make 128 bits, as hard to guess as a key.
const LENGTH: usize = 26;

/// An invitation code. The database stores only its digest; 128 random bits cannot be guessed, so one fast hash without
/// salt is enough.
#[derive(Clone)]
pub struct InvitationCode(SecretString);

/// Digest by which the database finds an invitation.
pub type CodeDigest = [u8; 32];

impl InvitationCode {
    /// Creates a random code.
    pub fn random() -> Self {
        let mut chance = rand::rng();
        let signs = (0..LENGTH).map(|_| char::from(SIGNS[chance.random_range(..SIGNS.len())]));
        Self(signs.collect::<String>().into())
    }

    /// Reads a code from user input, ignoring white space around it. Any text is accepted here; the database decides
    /// whether it exists.
    pub fn shown(text: &SecretString) -> Self {
        Self(text.expose_secret().trim().to_ascii_lowercase().into())
    }

    /// Returns the digest to look up.
    pub fn digest(&self) -> CodeDigest {
        Sha256::digest(self.0.expose_secret()).into()
    }

    /// Returns whether the code is empty.
    pub fn is_empty(&self) -> bool {
        self.0.expose_secret().is_empty()
    }

    /// Returns the code itself, to be shown once to the person who made the invitation.
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
