//! Encryption for one browser: RFC 8291 with the content coding `aes128gcm` of RFC 8188. The push service sees the length
//! of a message and nothing else of it.

use hkdf::Hkdf;
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{PublicKey, SecretKey};
use rand::TryRngCore as _;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::Sha256;

use super::BrowserKeys;

/// Longest plaintext. Push services accept 4,096 bytes, 103 of which are header, delimiter and tag.
pub const MOST: usize = 3 * STEP - 1;

/// Every message is padded to a multiple of this, so that its length says little about the text.
const STEP: usize = 1_024;

/// Record size. There is one record, and it is shorter.
const RECORD: u32 = 4_096;

/// A message that cannot be encrypted: too long, or keys that are not valid.
#[derive(Debug, thiserror::Error)]
#[error("the notification cannot be encrypted for this subscription")]
pub struct Unencryptable;

/// Encrypts a message with a new key pair and salt.
pub fn encrypt(message: &[u8], keys: &BrowserKeys) -> Result<Vec<u8>, Unencryptable> {
    let mut salt = [0; 16];
    let mut secret = [0; 32];
    loop {
        let mut random = rand::rngs::OsRng;
        random
            .try_fill_bytes(&mut salt)
            .and_then(|()| random.try_fill_bytes(&mut secret))
            .map_err(|_| Unencryptable)?;
        // One number in 2^32 is not below the order of the curve.
        if let Ok(own) = SecretKey::from_slice(&secret) {
            let padding = STEP - (message.len() + 1) % STEP;
            return encrypt_with(message, keys, &own, salt, padding % STEP);
        }
    }
}

fn encrypt_with(
    message: &[u8],
    keys: &BrowserKeys,
    own: &SecretKey,
    salt: [u8; 16],
    padding: usize,
) -> Result<Vec<u8>, Unencryptable> {
    if message.len() > MOST {
        return Err(Unencryptable);
    }
    let browser = PublicKey::from_sec1_bytes(&keys.p256dh).map_err(|_| Unencryptable)?;
    let public = own.public_key().to_encoded_point(false);
    let shared = diffie_hellman(own.to_nonzero_scalar(), browser.as_affine());
    let (key, nonce) = derive(shared.raw_secret_bytes(), &keys.auth, &keys.p256dh, public.as_bytes(), &salt);

    // The delimiter of the last record, and zeros behind it.
    let mut record = [message, &[2], &vec![0; padding]].concat();
    let key = UnboundKey::new(&AES_128_GCM, &key).map_err(|_| Unencryptable)?;
    LessSafeKey::new(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record)
        .map_err(|_| Unencryptable)?;

    let length = u8::try_from(public.len()).expect("a point has 65 bytes");
    Ok([&salt[..], &RECORD.to_be_bytes(), &[length], public.as_bytes(), &record].concat())
}

/// Derives the content encryption key and the nonce (RFC 8291, section 3.4).
fn derive(shared: &[u8], auth: &[u8], browser: &[u8], public: &[u8], salt: &[u8]) -> ([u8; 16], [u8; 12]) {
    let info = [b"WebPush: info\0", browser, public].concat();
    let material: [u8; 32] = expand(auth, shared, &info);
    let key = expand(salt, &material, b"Content-Encoding: aes128gcm\0");
    let nonce = expand(salt, &material, b"Content-Encoding: nonce\0");
    (key, nonce)
}

fn expand<const LENGTH: usize>(salt: &[u8], material: &[u8], info: &[u8]) -> [u8; LENGTH] {
    let mut derived = [0; LENGTH];
    Hkdf::<Sha256>::new(Some(salt), material)
        .expand(info, &mut derived)
        .expect("no more than 255 hashes are asked for");
    derived
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn browser() -> BrowserKeys {
        BrowserKeys {
            p256dh: bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
            auth: bytes("BTBZMqHH6r4Tts7J_aSIgg"),
        }
    }

    /// RFC 8291, section 5.
    #[test]
    fn the_example_of_the_standard_is_encrypted_as_printed_there() {
        let own = SecretKey::from_slice(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let message = b"When I grow up, I want to be a watermelon";
        let encrypted = encrypt_with(message, &browser(), &own, salt, 0).unwrap();
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w\
                        EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(URL_SAFE_NO_PAD.encode(encrypted), expected);
    }

    #[test]
    fn lengths_are_multiples_and_at_most_what_services_accept() {
        let length = |message: usize| encrypt(&vec![b'a'; message], &browser()).unwrap().len() - (86 + 16);
        assert_eq!([length(0), length(1_023), length(1_024), length(MOST)], [1_024, 1_024, 2_048, 3_072]);
        assert!(encrypt(&vec![b'a'; MOST + 1], &browser()).is_err());
    }

    #[test]
    fn two_encryptions_share_nothing() {
        let (first, second) = (encrypt(b"hi", &browser()).unwrap(), encrypt(b"hi", &browser()).unwrap());
        assert!(first[..16] != second[..16] && first[21..86] != second[21..86] && first[86..] != second[86..]);
    }

    #[test]
    fn keys_of_no_point_are_an_error() {
        let mut keys = browser();
        keys.p256dh[64] ^= 1;
        assert!(!BrowserKeys::is_public_key(&keys.p256dh) && BrowserKeys::is_public_key(&browser().p256dh));
        assert!(encrypt(b"hi", &keys).is_err());
    }
}
