//! The vault under attack: nothing opens but what was sealed, where it was sealed.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Command;

use nbhd_core::vault::{Place, RecordPlace, Vault};
use nbhd_core::{Code, Secret};
use proptest::prelude::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
const PLACE: Place<'static> = Place {
    tenant: "42",
    provider: "google",
    account: "a@example.org",
    field: "refresh_token",
};

fn vault(keys: &str) -> Vault {
    Vault::with_key(Secret::new(keys))
}

/// A folder of this test's own; its name says which test.
fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("nbhd-vault-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn is_closed(vault: &Vault, place: Place<'_>, sealed: &str) {
    let error = vault.open(place, sealed).expect_err(sealed);
    assert_eq!(error.code(), Code::InvalidState);
    assert!(!error.to_string().contains("canary"));
}

#[test]
fn what_was_sealed_opens_in_its_place_only() {
    let vault = vault(KEY);
    let sealed = vault.seal(PLACE, b"canary").expect("sealed");
    assert!(sealed.starts_with("nbhd1.") && !sealed.contains("canary"));
    assert_eq!(vault.open(PLACE, &sealed).expect("open").expose(), b"canary");
    let elsewhere = [
        Place {
            tenant: "43",
            ..PLACE
        },
        Place { tenant: "", ..PLACE },
        Place {
            provider: "other",
            ..PLACE
        },
        Place {
            account: "b@example.org",
            ..PLACE
        },
        Place {
            field: "access_token",
            ..PLACE
        },
        // The same letters, cut elsewhere: the lengths are bound too.
        Place {
            tenant: "42g",
            provider: "oogle",
            ..PLACE
        },
        Place {
            tenant: "4",
            provider: "2google",
            ..PLACE
        },
    ];
    for place in elsewhere {
        is_closed(&vault, place, &sealed);
    }
    assert_eq!(
        vault
            .seal(PLACE, b"")
            .and_then(|empty| vault.open(PLACE, &empty))
            .expect("empty")
            .expose(),
        b""
    );
}

#[test]
fn an_envelope_that_was_touched_stays_closed() {
    let vault = vault(KEY);
    let (one, two) = (
        vault.seal(PLACE, b"canary one").expect("sealed"),
        vault.seal(PLACE, b"canary two").expect("sealed"),
    );
    for at in 0..one.len() {
        for with in [b'A', b'z', b'.'] {
            let mut bytes = one.clone().into_bytes();
            if bytes[at] != with {
                bytes[at] = with;
                is_closed(&vault, PLACE, &String::from_utf8(bytes).expect("text"));
            }
        }
        is_closed(&vault, PLACE, &one[..at]);
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (one.split('.').collect(), two.split('.').collect());
    is_closed(&vault, PLACE, &[a[0], a[1], b[2], a[3]].join("."));
    is_closed(&vault, PLACE, &[a[0], a[1], a[2], b[3]].join("."));
    is_closed(&vault, PLACE, &["nbhd2", a[1], a[2], a[3]].join("."));
    for text in [
        "",
        "canary",
        "nbhd1....",
        "nbhd1.a.b.c",
        &format!("{one}.x"),
        &format!(" {one}"),
    ] {
        is_closed(&vault, PLACE, text);
    }
}

#[test]
fn keys_rotate() {
    let (old, new, both) = (vault(KEY), vault(OTHER), vault(&format!("{OTHER},{KEY}")));
    let sealed = old.seal(PLACE, b"canary").expect("sealed");
    is_closed(&new, PLACE, &sealed);
    assert_eq!(both.open(PLACE, &sealed).expect("open").expose(), b"canary");
    let again = both
        .reseal(PLACE, &sealed)
        .expect("resealed")
        .expect("by another key");
    assert_eq!(new.open(PLACE, &again).expect("open").expose(), b"canary");
    is_closed(&old, PLACE, &again);
    assert_eq!(both.reseal(PLACE, &again).expect("resealed"), None);
    let status = both.status().expect("a status");
    assert_eq!(status.key_id, new.status().expect("a status").key_id);
    assert_eq!(status.opens.len(), 2);
    assert_eq!(status.source, "given by the program");
    // A record whose envelope claims another key is closed, though that key is here.
    let claimed = sealed.replacen(&status.opens[1], &status.opens[0], 1);
    is_closed(&both, PLACE, &claimed);
}

#[test]
fn the_same_key_in_every_spelling() {
    let spellings = [
        KEY.to_owned(),
        format!("{KEY}="),
        "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f".to_owned(),
        format!(" {KEY}\n"),
    ];
    let ids: HashSet<String> = spellings
        .iter()
        .map(|text| vault(text).status().expect("a status").key_id)
        .collect();
    assert_eq!(ids.len(), 1);
    for bad in [
        "canary",
        "AAEC",
        &KEY[1..],
        &format!("{KEY}AA"),
        ",",
        &format!("{KEY},canary"),
    ] {
        let error = vault(bad).seal(PLACE, b"x").expect_err(bad);
        assert_eq!(error.code(), Code::InvalidConfig);
        assert!(!format!("{error:?}").contains("canary"));
    }
    assert!(!format!("{:?}", vault(KEY)).contains(KEY));
}

#[test]
fn no_nonce_comes_twice() {
    let vault = vault(KEY);
    let nonces: HashSet<String> = (0..5_000)
        .map(|_| {
            vault
                .seal(PLACE, b"x")
                .expect("sealed")
                .split('.')
                .nth(2)
                .expect("a nonce")
                .to_owned()
        })
        .collect();
    assert_eq!(nonces.len(), 5_000);
}

#[cfg(unix)]
#[test]
fn the_key_file_is_its_owners_and_made_once() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder("file");
    let path = folder.join("nbhd").join("vault.key");
    let missing = Vault::with_key_file(&path);
    assert_eq!(
        missing.status().expect_err("not there").code(),
        Code::SecretMissing
    );
    let sealed = vault(KEY).seal(PLACE, b"x").expect("sealed");
    assert_eq!(
        missing.open(PLACE, &sealed).expect_err("no key").code(),
        Code::SecretMissing
    );
    assert!(!path.exists(), "opening makes no key");

    let ids: HashSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let vault = Vault::with_key_file(&path);
                    vault.seal(PLACE, b"x").expect("sealed");
                    vault.status().expect("a status").key_id
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread"))
            .collect()
    });
    assert_eq!(ids.len(), 1, "whoever came second found the first one's key");
    let mode = |path: &std::path::Path| path.metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&path), mode(path.parent().expect("a folder"))),
        (0o600, 0o700)
    );
    let left = std::fs::read_dir(path.parent().expect("a folder"))
        .expect("a folder")
        .count();
    assert_eq!(left, 1, "nothing is left beside it");

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let error = Vault::with_key_file(&path)
        .seal(PLACE, b"x")
        .expect_err("others may read it");
    assert_eq!(error.code(), Code::SecretMissing);
    assert!(error.message().contains("chmod 600"), "{error}");
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// Run in a process of its own by the test below: the environment belongs to a whole process.
#[test]
fn standard_chain_in_a_child() {
    if std::env::var_os("NBHD_TEST_VAULT_CHILD").is_none() {
        return;
    }
    let vault = Vault::default();
    vault.seal(PLACE, b"x").expect("sealed");
    let status = vault.status().expect("a status");
    println!("child: {} | {}", status.key_id, status.source);
}

#[cfg(unix)]
#[test]
fn the_standard_chain_is_environment_then_file() {
    let folder = folder("chain");
    let run = |key: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command
            .args(["--exact", "standard_chain_in_a_child", "--nocapture"])
            .env("NBHD_TEST_VAULT_CHILD", "1")
            .env("XDG_CONFIG_HOME", &folder)
            .env_remove("NBHD_VAULT_KEY");
        if let Some(key) = key {
            command.env("NBHD_VAULT_KEY", key);
        }
        let output = String::from_utf8(command.output().expect("a child").stdout).expect("text");
        let line = output.lines().find_map(|line| line.split_once("child: "));
        line.unwrap_or_else(|| panic!("{output}")).1.to_owned()
    };
    assert!(run(Some(KEY)).ends_with("environment variable NBHD_VAULT_KEY"));
    assert!(
        !folder.exists(),
        "with a key from the environment no file is made"
    );
    let first = run(None);
    assert!(first.ends_with("nbhd/vault.key"), "{first}");
    assert_eq!(run(None), first);
    assert!(run(Some(KEY)).ends_with("environment variable NBHD_VAULT_KEY"));
    std::fs::remove_dir_all(&folder).expect("removed");
}

proptest! {
    #[test]
    fn any_bytes_and_any_places(plain: Vec<u8>, tenant: String, account: String, garbage: String) {
        let vault = vault(KEY);
        let place = Place { tenant: &tenant, account: &account, ..PLACE };
        let sealed = vault.seal(place, &plain).expect("sealed");
        let opened = vault.open(place, &sealed).expect("open");
        prop_assert_eq!(opened.expose(), &plain);
        prop_assert!(vault.open(place, &garbage).is_err());
    }
}

#[test]
fn what_the_suite_seals_does_not_open_for_a_program() {
    let vault = vault(KEY);
    let place = RecordPlace {
        tenant: PLACE.tenant.to_owned(),
        provider: PLACE.provider.to_owned(),
        account: PLACE.account.to_owned(),
        field: PLACE.field.to_owned(),
    };
    let program = vault.program();
    let own = program.seal(&Secret::new("canary"), &place).expect("sealed");
    assert_eq!(program.open(&own, &place).expect("open").expose(), "canary");
    is_closed(&vault, PLACE, &own);
    let suite = vault.seal(PLACE, b"canary").expect("sealed");
    for sealed in [
        suite.clone(),
        suite.replacen("nbhd1.", "nbhd1p.", 1),
        own.replacen("nbhd1p.", "nbhd1.", 1),
    ] {
        let error = program.open(&sealed, &place).expect_err("another kind");
        assert_eq!(error.code(), Code::InvalidState);
        assert!(
            program.reseal(&sealed, &place).is_ok_and(|again| again.is_none())
                || program.reseal(&sealed, &place).is_err()
        );
    }
    is_closed(&vault, PLACE, &own.replacen("nbhd1p.", "nbhd1.", 1));
    let nowhere = program
        .seal(&Secret::new("x"), &RecordPlace::default())
        .expect_err("no place");
    assert_eq!(nowhere.code(), Code::InvalidInput);
}
