//! Rotation under load: two processes' vaults, readers and writers all the while, and no record unreadable at any instant.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nbhd_core::store::{Commit, Committed, Guard, Store, Write};
use nbhd_core::vault::{Place, Vault};
use nbhd_core::{Host, Secret};

const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const NEW: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
const RECORDS: usize = 40;
const READS: u64 = 400;

/// The keys of one process, replaced as a whole.
fn give(path: &Path, keys: &str) {
    use std::io::Write as _;

    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .unwrap();
    file.write_all(keys.as_bytes()).unwrap();
    std::fs::rename(&fresh, path).unwrap();
}

fn place(tenant: &str) -> Place<'_> {
    Place {
        tenant,
        provider: "test",
        account: "a",
        field: "token",
    }
}

fn key(at: usize) -> String {
    format!("record.{at}")
}

/// Writes if nobody else did meanwhile.
async fn swap(store: &Arc<dyn Store>, at: usize, version: u64, value: String) -> bool {
    let commit = Commit::new()
        .guard(Guard::Version {
            key: key(at),
            version,
        })
        .write(Write::Put {
            key: key(at),
            value,
            ttl: None,
        });
    matches!(store.commit(commit).await.unwrap(), Committed::Done { .. })
}

struct Load {
    store: Arc<dyn Store>,
    vaults: Vec<Arc<Vault>>,
    reads: AtomicU64,
    writes: AtomicU64,
    ends: AtomicBool,
}

impl Load {
    async fn read(self: Arc<Self>, reader: usize) {
        for turn in reader.. {
            if self.ends.load(Ordering::Relaxed) {
                return;
            }
            let at = turn % RECORDS;
            let stored = self.store.get(&key(at)).await.unwrap().unwrap();
            let vault = &self.vaults[(turn / RECORDS + reader) % self.vaults.len()];
            let plain = vault
                .open(place(&at.to_string()), &stored.value)
                .expect("readable at any instant");
            assert!(plain.expose().starts_with(format!("{at}:").as_bytes()));
            self.reads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    }

    async fn write(self: Arc<Self>, writer: usize) {
        for turn in writer.. {
            if self.ends.load(Ordering::Relaxed) {
                return;
            }
            // The other half is left for the sealing anew.
            let at = turn * 7 % (RECORDS / 2);
            let stored = self.store.get(&key(at)).await.unwrap().unwrap();
            let sealed = self.vaults[turn % self.vaults.len()]
                .seal(place(&at.to_string()), format!("{at}:{turn}").as_bytes())
                .unwrap();
            if swap(&self.store, at, stored.version, sealed).await {
                self.writes.fetch_add(1, Ordering::Relaxed);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Lets the load run for a while, counted in reads and writes.
    async fn go_on(&self) {
        let (reads, writes) = (
            self.reads.load(Ordering::Relaxed),
            self.writes.load(Ordering::Relaxed),
        );
        while self.reads.load(Ordering::Relaxed) < reads + READS
            || self.writes.load(Ordering::Relaxed) < writes + READS / 4
        {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_record_is_unreadable_while_keys_rotate() {
    let folder = std::env::temp_dir().join(format!("nbhd-rotation-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let files: Vec<PathBuf> = ["one", "two"].map(|name| folder.join(name)).into();
    for file in &files {
        give(file, OLD);
    }
    let store = Host::new("memory:").unwrap().store().clone();
    let load = Arc::new(Load {
        store: store.clone(),
        vaults: files
            .iter()
            .map(|file| Arc::new(Vault::with_source(Secret::file(file))))
            .collect(),
        reads: AtomicU64::new(0),
        writes: AtomicU64::new(0),
        ends: AtomicBool::new(false),
    });
    let old = load.vaults[0].status().unwrap().key_id;
    for at in 0..RECORDS {
        let value = load.vaults[0]
            .seal(place(&at.to_string()), format!("{at}:first").as_bytes())
            .unwrap();
        let put = Write::Put {
            key: key(at),
            value,
            ttl: None,
        };
        store.commit(Commit::new().write(put)).await.unwrap();
    }
    let mut tasks: Vec<_> = (0..3)
        .map(|reader| tokio::spawn(load.clone().read(reader)))
        .collect();
    tasks.extend((0..2).map(|writer| tokio::spawn(load.clone().write(writer))));

    // One process after the other, with the load between: at no time do the two have to agree.
    for keys in [format!("{OLD},{NEW}"), format!("{NEW},{OLD}")] {
        for (file, vault) in files.iter().zip(&load.vaults) {
            give(file, &keys);
            vault.reload().unwrap();
            load.go_on().await;
        }
    }
    let (mut resealed, mut lost) = (0, 0);
    for at in 0..RECORDS {
        loop {
            let stored = store.get(&key(at)).await.unwrap().unwrap();
            let Some(fresh) = load.vaults[0]
                .reseal(place(&at.to_string()), &stored.value)
                .unwrap()
            else {
                break;
            };
            if swap(&store, at, stored.version, fresh).await {
                resealed += 1;
            } else {
                lost += 1;
            }
        }
    }
    assert!(resealed >= RECORDS / 2, "{resealed}");
    load.go_on().await;
    for (file, vault) in files.iter().zip(&load.vaults) {
        give(file, NEW);
        assert_eq!(vault.reload().unwrap().opens.len(), 1);
        load.go_on().await;
    }
    load.ends.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    for at in 0..RECORDS {
        let stored = store.get(&key(at)).await.unwrap().unwrap();
        assert!(!stored.value.contains(&old), "every record has the new key");
    }
    println!(
        "{} reads, {} writes, {resealed} resealed, {lost} times a writer was first",
        load.reads.load(Ordering::Relaxed),
        load.writes.load(Ordering::Relaxed)
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_reload_that_fails_keeps_the_keys_at_hand() {
    let path = std::env::temp_dir().join(format!("nbhd-reload-{}", std::process::id()));
    give(&path, OLD);
    let vault = Vault::with_source(Secret::file(&path));
    let sealed = vault.seal(place("t"), b"canary").unwrap();
    give(&path, "no key at all");
    assert!(vault.reload().is_err());
    assert_eq!(vault.open(place("t"), &sealed).unwrap().expose(), b"canary");
    std::fs::remove_file(&path).unwrap();
}
