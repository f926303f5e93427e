//! The key that signs access tokens: 32 bytes that are never printed or logged.

use std::path::Path;

use anyhow::{Context, bail};
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};

use super::{KeyFile, key_in_dir};

/// Name of the demo's key file, in `DATA_DIR`.
const FILE: &str = "signing-key";

/// 256 bits for HMAC-SHA-256: RFC 7518, section 3.2, requires at least the size of the hash.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// Parses 64 hex digits.
    ///
    /// # Errors
    ///
    /// Says what a key looks like and how to make one, without repeating the input.
    pub fn parse(hex: &SecretString) -> anyhow::Result<Self> {
        Self::from_hex(hex.expose_secret())
    }

    /// Parses keys separated by commas.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_list(list: &SecretString) -> anyhow::Result<Vec<Self>> {
        list.expose_secret().split(',').map(Self::from_hex).collect()
    }

    /// Returns the bytes, for signing and verifying.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Generates a random key.
    ///
    /// # Errors
    ///
    /// If the system provides no random bytes.
    pub fn generate() -> anyhow::Result<Self> {
        let mut key = [0; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut key).context("cannot get random bytes from the system")?;
        Ok(Self(key))
    }

    /// Returns the 64 hex digits, to be shown only to the operator who asked for a new key.
    pub fn to_hex(&self) -> SecretString {
        hex(&self.0).into()
    }

    /// Returns the key kept in `dir`. The first call creates it, in a file that only its owner can read.
    pub(super) fn kept_in(dir: &Path) -> anyhow::Result<KeyFile> {
        let path = dir.join(FILE);
        let kept = key_in_dir::keep(dir, &path, || Ok(Self::generate()?.to_hex()))?;
        KeyFile::parse(&kept).with_context(|| format!("{} is damaged; delete it", path.display()))
    }

    pub(super) fn from_hex(hex: &str) -> anyhow::Result<Self> {
        let hex = hex.trim();
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!("a signing key must be 64 hex digits; create one with `gapless keys generate`");
        }
        let mut key = [0; 32];
        for (byte, digits) in key.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).expect("hex digits are ASCII");
            *byte = u8::from_str_radix(digits, 16).expect("two hex digits make a byte");
        }
        Ok(Self(key))
    }
}

impl From<[u8; 32]> for SigningKey {
    fn from(key: [u8; 32]) -> Self {
        Self(key)
    }
}

/// Shows the type, and nothing of the key.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}
