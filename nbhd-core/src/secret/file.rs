//! Secrets in files. Who may read a file decides whether it is taken.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::Secret;
use super::source::Missing;

/// The longest secret in a file, in bytes: a service account's key has about 2,400.
const LONGEST: u64 = 64 * 1024;

/// Who may read the file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// Whoever the orchestrator lets.
    Mounted,
    /// Its owner.
    Owner,
    /// Its owner and its group.
    Group,
}

pub(super) fn read(path: &Path, mode: Mode) -> Result<Secret, Missing> {
    // Before it is opened: opening a pipe would wait for a writer.
    check(&metadata(path)?, mode)?;
    let file = File::open(path).map_err(|error| absent(&error))?;
    // And what was opened: the name may stand for another file by now.
    check(&file.metadata().map_err(|error| absent(&error))?, mode)?;
    let mut text = Zeroizing::new(String::new());
    match file.take(LONGEST + 1).read_to_string(&mut text) {
        Ok(length) if length as u64 > LONGEST => refuse("it is longer than 64 KiB"),
        Ok(_) if text.trim().is_empty() => refuse("it is empty"),
        Ok(_) => Ok(Secret::new(text.trim())),
        Err(error) if error.kind() == ErrorKind::InvalidData => refuse("it is not text"),
        Err(error) => Err(absent(&error)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that looks at files with secrets"
)]
fn metadata(path: &Path) -> Result<Metadata, Missing> {
    std::fs::metadata(path).map_err(|error| absent(&error))
}

fn check(meta: &Metadata, mode: Mode) -> Result<(), Missing> {
    if !meta.is_file() {
        return refuse("it is no regular file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        let bits = meta.permissions().mode();
        match mode {
            Mode::Owner if bits & 0o077 != 0 => {
                refuse("others than its owner may read or change it; take their rights away (chmod 600)")
            }
            Mode::Group if bits & 0o037 != 0 => refuse(
                "others than its owner and group may read it, or others than its owner change it (chmod 640)",
            ),
            Mode::Mounted if bits & 0o002 != 0 => refuse("everybody may change it"),
            _ => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        let _ = mode;
        Ok(())
    }
}

fn absent(error: &std::io::Error) -> Missing {
    match error.kind() {
        // It is there, and this program was not meant to have it.
        ErrorKind::PermissionDenied => Missing::Refused("this program may not read it".to_owned()),
        kind => Missing::Absent(kind.to_string()),
    }
}

fn refuse<T>(why: &str) -> Result<T, Missing> {
    Err(Missing::Refused(why.to_owned()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::super::{Secret, SecretSource};
    use crate::Code;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nbhd-secret-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        #[expect(clippy::disallowed_methods, reason = "a test writes what it reads")]
        fn file(&self, name: &str, text: &[u8], mode: u32) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, text).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_mode_decides() {
        let folder = Folder::new("mode");
        // Mode, and whether it is taken as owner's, as group's, as mounted.
        let table = [
            (0o600, true, true, true),
            (0o400, true, true, true),
            (0o640, false, true, true),
            (0o440, false, true, true),
            (0o660, false, false, true),
            (0o644, false, false, true),
            (0o604, false, false, true),
            (0o444, false, false, true),
            (0o666, false, false, false),
            (0o602, false, false, false),
        ];
        for (mode, owner, group, mounted) in table {
            let path = folder.file(&format!("{mode:o}"), b" canary-0123456789\n", mode);
            let sources = [
                Secret::file(&path),
                Secret::group_file(&path),
                Secret::mounted(&path),
            ];
            for (source, taken) in sources.into_iter().zip([owner, group, mounted]) {
                match source.reveal() {
                    Ok(secret) => assert!(taken && secret.expose() == "canary-0123456789", "{mode:o}"),
                    Err(error) => {
                        assert!(!taken && error.code() == Code::SecretMissing, "{mode:o}: {error}");
                        assert!(error.message().contains("may"), "{error}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_with_its_reason() {
        let folder = Folder::new("kind");
        let pipe = folder.0.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .expect("a pipe");
        let table = [
            (folder.file("empty", b" \n", 0o600), "it is empty"),
            (folder.file("binary", b"\xff\xfe\x00", 0o600), "not text"),
            (folder.file("long", &vec![b'a'; 70_000], 0o600), "64 KiB"),
            (folder.0.clone(), "no regular file"),
            // Reading a pipe would wait for ever: it is not opened at all.
            (pipe, "no regular file"),
            (folder.0.join("nothing"), "not found"),
        ];
        for (path, why) in table {
            let error = Secret::mounted(&path).reveal().expect_err(why);
            assert!(error.message().contains(why), "{error}");
        }
    }

    #[test]
    fn a_chain_goes_on_where_nothing_is_and_stops_where_it_is_refused() {
        let folder = Folder::new("chain");
        let good = folder.file("good", b"canary-0123456789", 0o600);
        let open = folder.file("open", b"canary-9876543210", 0o644);
        let unset = || Secret::env("NBHD_TEST_SURELY_NOT_SET");
        let nothing = || Secret::mounted(folder.0.join("nothing"));

        let chain = Secret::chain([unset(), Secret::chain([nothing()]), Secret::file(&good)]);
        let status = chain.status().expect("a secret");
        assert_eq!(status.source, format!("file {}", good.display()));
        assert_eq!(status.fingerprint, "can…6789");
        assert!(!format!("{chain:?} {status:?}").contains("0123"));

        let stopped = Secret::chain([unset(), Secret::file(&open), Secret::file(&good)]);
        assert!(
            stopped
                .reveal()
                .expect_err("open")
                .message()
                .contains("chmod 600")
        );

        let empty = Secret::chain([unset(), nothing()]).reveal().expect_err("nothing");
        assert_eq!(empty.code(), Code::SecretMissing);
        assert!(
            empty.message().contains("is not set") && empty.message().contains("not found"),
            "{empty}"
        );

        let first = Secret::chain([SecretSource::from(Secret::new("short")), Secret::file(&good)]);
        let status = first.status().expect("a secret");
        assert_eq!(
            (status.source.as_str(), status.fingerprint.as_str()),
            ("given by the program", "***")
        );
        assert!(Secret::chain([]).reveal().is_err());
    }
}
