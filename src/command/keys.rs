//! `gapless keys`: creates the first signing key, replaces it without signing anybody out, and creates the key of Web
//! Push.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};

use crate::clock::Clock;
use crate::config::{KeyFile, Settings, SigningKey, VapidKey};

#[derive(Debug, Clone, Subcommand)]
pub enum Keys {
    /// Print a new signing key, for `JWT_SIGNING_KEY`.
    Generate,
    /// Print a new key for Web Push, for `VAPID_PRIVATE_KEY`, and its public key.
    Vapid,
    /// Replace the signing key with a new one; the old key still verifies the tokens that it signed.
    ///
    /// Without --file nothing is changed: it prints which variables to set, and when.
    Rotate {
        /// The file named by `JWT_SIGNING_KEY_FILE`, which is replaced atomically.
        #[arg(long)]
        file: Option<PathBuf>,
    },
}

impl Keys {
    pub(super) fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let ttl_secs = settings.access_token_ttl_secs();
        match self {
            Self::Generate => println!("{}", SigningKey::generate()?.to_hex().expose_secret()),
            Self::Vapid => {
                let key = VapidKey::generate()?;
                println!("VAPID_PRIVATE_KEY={}", key.to_text().expose_secret());
                println!("# Its public key, which GET /push returns: {}", key.public_text());
            }
            Self::Rotate { file: Some(file) } => println!("{}", rotate_file(&file, ttl_secs)?),
            Self::Rotate { file: None } => {
                let present = settings.signing_key_text()?.context(
                    "JWT_SIGNING_KEY is not set, so there is no key to replace; create the first one with \
                     `gapless keys generate`",
                )?;
                println!("{}", recipe(&present, settings.previous_keys_text()?.as_ref(), ttl_secs)?);
            }
        }
        Ok(())
    }
}

/// Returns the steps to take. An instance refuses tokens of a key that it does not know yet, hence the first step.
fn recipe(present: &SecretString, previous: Option<&SecretString>, ttl_secs: u64) -> anyhow::Result<String> {
    let (present, former) = KeyFile::parse(present).context("JWT_SIGNING_KEY")?.into_keys();
    let previous = previous.map_or(Ok(Vec::new()), SigningKey::parse_list).context("JWT_PREVIOUS_KEYS")?;
    if !former.is_empty() {
        bail!("JWT_SIGNING_KEY contains former keys too, like a key file; pass that file with --file");
    }
    let new = SigningKey::generate()?;
    let list = |first: &SigningKey| {
        let keys = std::iter::once(first).chain(&previous).map(|key| key.to_hex().expose_secret().to_owned());
        keys.collect::<Vec<_>>().join(",")
    };
    Ok(format!(
        "1. If several instances run, first add the new key to all of them, and restart them one by one:\n\
         \x20    JWT_PREVIOUS_KEYS={}\n\
         2. Then let the new key sign and the current one only verify, and restart them one by one:\n\
         \x20    JWT_SIGNING_KEY={}\n\
         \x20    JWT_PREVIOUS_KEYS={}\n\
         3. {ttl_secs} s after the last restart (ACCESS_TOKEN_TTL_SECS), every token of the former key has expired:\n\
         \x20    unset JWT_PREVIOUS_KEYS\n\
         If the current key has leaked, do only step 2, without JWT_PREVIOUS_KEYS: every access token becomes \
         invalid at once, and browsers obtain new ones automatically.",
        list(&new),
        new.to_hex().expose_secret(),
        list(&present),
    ))
}

/// Rewrites the file in one step: readers see either the old or the new file, also after a power failure.
fn rotate_file(path: &Path, ttl_secs: u64) -> anyhow::Result<String> {
    // Keep a symbolic link a link; container secrets are links.
    let path = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let keys = KeyFile::parse(&text.into()).with_context(|| format!("{} is not a key file", path.display()))?;
    let rotated = keys.rotate(SigningKey::generate()?, Clock::System.now()).to_text()?;
    replace(&path, rotated.expose_secret()).with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(format!(
        "{} has a new key on its first line; the former one follows it and still verifies. Restart every instance \
         that reads the file. {ttl_secs} s after that (ACCESS_TOKEN_TTL_SECS) the other lines may be deleted; the next \
         rotation removes them. If the former key has leaked, delete its line before you restart.",
        path.display()
    ))
}

fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let dir = path.parent().context("the path is not a file")?;
    let mut name = path.file_name().context("the path is not a file")?.to_owned();
    name.push(".new");
    let draft = dir.join(name);
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file =
        options.open(&draft).with_context(|| format!("{} already exists or cannot be created", draft.display()))?;
    let written = write_like(&mut file, path, text).and_then(|()| Ok(fs::rename(&draft, path)?));
    if written.is_err() {
        // The draft contains keys, and nobody would look for it.
        let _ = fs::remove_file(&draft);
    }
    written?;
    File::open(dir)?.sync_all()?;
    Ok(())
}

/// The server may run as another user than the caller, so the file keeps its owner.
fn write_like(file: &mut File, model: &Path, text: &str) -> anyhow::Result<()> {
    let model = fs::metadata(model)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        std::os::unix::fs::fchown(&*file, Some(model.uid()), Some(model.gid()))?;
    }
    file.set_permissions(model.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: &str = "0101010101010101010101010101010101010101010101010101010101010101";
    const FORMER: &str = "0202020202020202020202020202020202020202020202020202020202020202";

    #[test]
    fn the_recipe_names_each_key_in_its_place() {
        let said = recipe(&PRESENT.into(), Some(&FORMER.into()), 900).unwrap();
        let after = |mark: &str| {
            let lines = said.lines().filter_map(|line| line.trim().strip_prefix(mark));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let (signing, previous) = (after("JWT_SIGNING_KEY="), after("JWT_PREVIOUS_KEYS="));
        assert_eq!(previous, [format!("{},{FORMER}", signing[0]), format!("{PRESENT},{FORMER}")]);
        assert!(SigningKey::parse(&signing[0].as_str().into()).is_ok() && said.contains("900 s after"), "{said}");
        assert!(recipe(&"hush".into(), None, 900).is_err_and(|error| !format!("{error:#}").contains("hush")));
    }

    #[test]
    fn a_file_is_replaced_whole_and_stays_whose_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("key"), dir.path().join("link"));
        fs::write(&file, PRESENT).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
            std::os::unix::fs::symlink(&file, &link).unwrap();
            rotate_file(&link, 900).unwrap();
            assert!(link.is_symlink());
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o440);
        }
        let (signing, former) = KeyFile::parse(&fs::read_to_string(&file).unwrap().into()).unwrap().into_keys();
        assert_ne!(signing.to_hex().expose_secret(), PRESENT);
        assert_eq!(former[0].to_hex().expose_secret(), PRESENT);

        let before = fs::read(&file).unwrap();
        fs::write(dir.path().join("key.new"), "of somebody else").unwrap();
        assert!(rotate_file(&file, 900).is_err());
        assert_eq!(fs::read(&file).unwrap(), before, "what fails changes nothing");
        assert!(rotate_file(&dir.path().join("absent"), 900).is_err());
    }
}
