//! The key file: made once, for its owner only, whole or not at all, even when several processes begin together.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::key::{KEY_LENGTH, generate};
use crate::secret::SecretSource;
use crate::{Code, Error, Result};

/// `$XDG_CONFIG_HOME/nbhd/vault.key`, or else `~/.config/nbhd/vault.key`: never beside the database, which is copied and backed up
/// without a thought for keys.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that looks for the user's configuration folder"
)]
pub(super) fn standard_path() -> Result<PathBuf> {
    // A relative path here is to be ignored (XDG Base Directory Specification 0.8).
    let named = std::env::var("XDG_CONFIG_HOME")
        .ok()
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || {
        std::env::home_dir()
            .filter(|path| path.is_absolute())
            .map(|home| home.join(".config"))
    };
    let folder = named.or_else(home).ok_or_else(|| {
        Error::new(
            Code::SecretMissing,
            "the vault has no key, and there is no home folder to keep one in",
        )
        .with_user_action("Set the environment variable NBHD_VAULT_KEY.")
    })?;
    Ok(folder.join("nbhd").join("vault.key"))
}

/// The file as a source; made first where it is not there and `create` says so.
pub(super) fn ready(path: &Path, create: bool) -> Result<SecretSource> {
    let there = path.try_exists().map_err(|error| refuse(path, &error))?;
    if !there && create {
        make(path).map_err(|error| refuse(path, &error))?;
    } else if !there {
        return Err(Error::new(
            Code::SecretMissing,
            format!("the vault has no key: there is no file {}", path.display()),
        )
        .with_user_action("Set the environment variable NBHD_VAULT_KEY, or bring the key file back."));
    }
    Ok(SecretSource::File(path.to_owned()))
}

/// Writes a fresh key beside its place and links it there. Linking never replaces: who comes second finds the first one's key.
fn make(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    make_folder(folder)?;
    let random = SystemRandom::new();
    let mut key = Zeroizing::new([0_u8; KEY_LENGTH]);
    let mut name = [0_u8; 12];
    random
        .fill(&mut *key)
        .and_then(|()| random.fill(&mut name))
        .map_err(|_| std::io::Error::other("no randomness"))?;
    let beside = folder.join(format!(".vault.key.{}", URL_SAFE_NO_PAD.encode(name)));
    let written = write(&beside, &generate(&key)).and_then(|()| std::fs::hard_link(&beside, path));
    let _ = std::fs::remove_file(&beside);
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        // The name is on the disk as well before anything is sealed with the key.
        Ok(()) => std::fs::File::open(folder)?.sync_all(),
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write(path: &Path, key: &crate::Secret) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(key.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn refuse(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Code::SecretMissing,
        format!("the vault's key file {}: {}", path.display(), error.kind()),
    )
    .with_user_action("Set the environment variable NBHD_VAULT_KEY, or make the folder writable.")
}
