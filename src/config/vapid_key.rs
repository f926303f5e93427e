//! The key that identifies this server to push services (VAPID, RFC 8292): a private key on the curve P-256 that is
//! never logged. Browsers make their subscriptions for its public key.

use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::pkcs8::EncodePrivateKey as _;
use rand::TryRngCore as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::key_in_dir;

/// Name of the key file that is created in `DATA_DIR`.
const FILE: &str = "vapid-key";

/// See the [module](self).
#[derive(Clone)]
pub struct VapidKey(SecretKey);

impl VapidKey {
    /// Parses base64url of 32 bytes.
    ///
    /// # Errors
    ///
    /// Says how to make a key, without repeating the input.
    pub fn parse(text: &SecretString) -> anyhow::Result<Self> {
        let text = text.expose_secret().trim().trim_end_matches('=');
        let key = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| SecretKey::from_slice(&bytes).ok());
        let Some(key) = key else {
            bail!("a VAPID key must be base64url of 32 bytes; create one with `gapless keys vapid`");
        };
        Ok(Self(key))
    }

    /// Generates a random key.
    ///
    /// # Errors
    ///
    /// If the system provides no random bytes.
    pub fn generate() -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        loop {
            rand::rngs::OsRng.try_fill_bytes(&mut bytes).context("cannot get random bytes from the system")?;
            // One number in 2^32 is not below the order of the curve.
            if let Ok(key) = SecretKey::from_slice(&bytes) {
                return Ok(Self(key));
            }
        }
    }

    /// Returns the key kept in `dir`. The first call creates it, in a file that only its owner can read.
    pub(super) fn kept_in(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        let kept = key_in_dir::keep(dir, &path, || Ok(Self::generate()?.to_text()))?;
        Self::parse(&kept).with_context(|| format!("{} is damaged; delete it", path.display()))
    }

    /// Returns the private key as text, to be shown only to the operator who asked for a new one.
    pub fn to_text(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.0.to_bytes()).into()
    }

    /// Returns the public key, an uncompressed point of 65 bytes.
    pub fn public(&self) -> Vec<u8> {
        self.0.public_key().to_encoded_point(false).as_bytes().to_vec()
    }

    /// Returns the public key as browsers expect it (`applicationServerKey`): base64url without padding.
    pub fn public_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.public())
    }

    /// Returns the private key in the form that signs tokens (PKCS #8, DER).
    ///
    /// # Panics
    ///
    /// Never: every key has this form.
    pub fn to_der(&self) -> impl AsRef<[u8]> {
        let der = self.0.to_pkcs8_der().expect("every key of the curve can be encoded");
        der.to_bytes()
    }
}

/// Shows the type, and nothing of the key.
impl std::fmt::Debug for VapidKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VapidKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_printed() {
        let key = VapidKey::generate().unwrap();
        let text = key.to_text().expose_secret().to_owned();
        assert_eq!((text.len(), key.public_text().len()), (43, 87));
        for written in [text.clone(), format!("{text}=\n")] {
            assert_eq!(VapidKey::parse(&written.into()).unwrap().public(), key.public());
        }
    }

    #[test]
    fn a_wrong_key_is_refused_and_not_shown() {
        let zero = URL_SAFE_NO_PAD.encode([0; 32]);
        for text in ["", "hush", &zero, &"ff".repeat(32)] {
            let error = VapidKey::parse(&text.into()).unwrap_err().to_string();
            assert!(error.contains("gapless keys vapid") && !error.contains("hush"), "{error}");
        }
        assert_eq!(format!("{:?}", VapidKey::generate().unwrap()), "VapidKey(..)");
    }
}
