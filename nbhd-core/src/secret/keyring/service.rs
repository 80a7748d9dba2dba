//! The Secret Service API 0.2 (<https://specifications.freedesktop.org/secret-service-spec/latest/>), its reading half.
//!
//! The session is `plain`: the bus is a socket of this user alone, and whoever can listen to it can ask the service as well.

use std::collections::HashMap;

use zbus::blocking::Connection;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zeroize::Zeroizing;

use super::super::Secret;
use super::super::source::Missing;

const NAME: &str = "org.freedesktop.secrets";
const PATH: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";

/// A secret as the service sends it: session, parameters, value, content type.
type Sent = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

/// The secret whose attributes are `service` and `username`, as other programs store them too.
pub(in super::super) fn look(service: &str, account: &str) -> Result<Secret, Missing> {
    let bus = Connection::session().map_err(|_| absent("there is no message bus of a session"))?;
    look_on(&bus, service, account)
}

fn look_on(bus: &Connection, service: &str, account: &str) -> Result<Secret, Missing> {
    let attributes = HashMap::from([("service", service), ("username", account)]);
    let found = call(bus, "SearchItems", &(attributes,)).map_err(|_| absent("no keyring answers"))?;
    let (unlocked, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) = found
        .body()
        .deserialize()
        .map_err(|_| silent("the keyring's answer cannot be read"))?;
    if unlocked.is_empty() {
        return Err(if locked.is_empty() {
            absent("it has no such entry")
        } else {
            Missing::Refused("the entry is locked: unlock the keyring".to_owned())
        });
    }
    if unlocked.len() > 1 {
        return Err(Missing::Refused("it has more than one such entry".to_owned()));
    }
    let opened = call(bus, "OpenSession", &("plain", Value::from("")))
        .map_err(|_| silent("the keyring opens no session"))?;
    let (_, session): (OwnedValue, OwnedObjectPath) = opened
        .body()
        .deserialize()
        .map_err(|_| silent("the keyring's answer cannot be read"))?;
    let sent =
        call(bus, "GetSecrets", &(&unlocked, &session)).map_err(|_| silent("the keyring gives no secret"))?;
    let secrets: HashMap<OwnedObjectPath, Sent> = sent
        .body()
        .deserialize()
        .map_err(|_| silent("the keyring's answer cannot be read"))?;
    let Some((_, (_, _, value, _))) = secrets.into_iter().next() else {
        return Err(Missing::Refused(
            "the entry is locked: unlock the keyring".to_owned(),
        ));
    };
    let value = Zeroizing::new(value);
    match std::str::from_utf8(&value) {
        Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
        _ => Err(Missing::Refused("the entry is empty or no text".to_owned())),
    }
}

fn call<B>(bus: &Connection, method: &str, body: &B) -> zbus::Result<zbus::Message>
where
    B: serde::Serialize + zbus::zvariant::DynamicType,
{
    bus.call_method(Some(NAME), PATH, Some(SERVICE), method, body)
}

fn silent(why: &str) -> Missing {
    Missing::Silent(why.to_owned())
}

fn absent(why: &str) -> Missing {
    Missing::Absent(why.to_owned())
}

/// A Secret Service of our own on a bus of our own: the daemon is the one that every desktop has.
#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use zbus::blocking::Connection;
    use zbus::blocking::connection::Builder;
    use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

    use super::{Missing, NAME, PATH, Sent, look_on};

    struct Bus {
        daemon: Child,
        address: String,
    }

    impl Bus {
        fn start() -> Option<Self> {
            let mut daemon = Command::new("dbus-daemon")
                .args([
                    "--session",
                    "--nofork",
                    "--print-address",
                    "--address=unix:tmpdir=/tmp",
                ])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut address = String::new();
            BufReader::new(daemon.stdout.take()?)
                .read_line(&mut address)
                .ok()?;
            Some(Self {
                daemon,
                address: address.trim().to_owned(),
            })
        }

        fn connect(&self) -> Connection {
            Builder::address(self.address.as_str())
                .and_then(Builder::build)
                .expect("a connection")
        }
    }

    impl Drop for Bus {
        fn drop(&mut self) {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
    }

    /// Entries by account: how many of them, and whether they are locked.
    struct Service {
        asked: Arc<AtomicBool>,
        seen: Arc<Mutex<Vec<HashMap<String, String>>>>,
    }

    fn path(text: &str) -> OwnedObjectPath {
        ObjectPath::try_from(text.to_owned()).expect("a path").into()
    }

    #[zbus::interface(name = "org.freedesktop.Secret.Service")]
    impl Service {
        fn search_items(
            &self,
            attributes: HashMap<String, String>,
        ) -> (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) {
            let account = attributes["username"].clone();
            self.seen.lock().expect("a lock").push(attributes);
            let item = |name: &str| path(&format!("{PATH}/collection/login/{name}"));
            match account.as_str() {
                "there" => (vec![item("there")], vec![]),
                "empty" => (vec![item("empty")], vec![]),
                "two" => (vec![item("a"), item("b")], vec![]),
                "locked" => (vec![], vec![item("locked")]),
                _ => (vec![], vec![]),
            }
        }

        fn open_session(&self, algorithm: &str, input: Value<'_>) -> (OwnedValue, OwnedObjectPath) {
            assert_eq!((algorithm, input), ("plain", Value::from("")));
            let nothing = Value::from("").try_into().expect("a value");
            (nothing, path(&format!("{PATH}/session/1")))
        }

        fn get_secrets(
            &self,
            items: Vec<OwnedObjectPath>,
            session: OwnedObjectPath,
        ) -> HashMap<OwnedObjectPath, Sent> {
            items
                .into_iter()
                .map(|item| {
                    let value = if item.as_str().ends_with("there") {
                        b"canary-0123456789".to_vec()
                    } else {
                        vec![]
                    };
                    (item, (session.clone(), vec![], value, "text/plain".to_owned()))
                })
                .collect()
        }

        fn unlock(&self, items: Vec<OwnedObjectPath>) -> (Vec<OwnedObjectPath>, OwnedObjectPath) {
            self.asked.store(!items.is_empty(), Ordering::Relaxed);
            (vec![], path("/"))
        }
    }

    #[test]
    fn what_is_unlocked_is_given_and_nobody_is_asked() {
        let Some(bus) = Bus::start() else {
            println!("skipped: there is no dbus-daemon here");
            return;
        };
        let nobody = look_on(&bus.connect(), "nbhd", "there");
        assert!(matches!(nobody, Err(Missing::Absent(why)) if why == "no keyring answers"));

        let (asked, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let service = Service {
            asked: asked.clone(),
            seen: seen.clone(),
        };
        let _serving = Builder::address(bus.address.as_str())
            .and_then(|builder| builder.name(NAME))
            .and_then(|builder| builder.serve_at(PATH, service))
            .and_then(Builder::build)
            .expect("a service");
        let client = bus.connect();
        let found = look_on(&client, "nbhd", "there");
        assert!(matches!(found, Ok(secret) if secret.expose() == "canary-0123456789"));
        let attributes = seen.lock().expect("a lock")[0].clone();
        assert_eq!(
            (attributes["service"].as_str(), attributes["username"].as_str()),
            ("nbhd", "there")
        );
        let nothing = look_on(&client, "nbhd", "nothing");
        assert!(matches!(nothing, Err(Missing::Absent(why)) if why.contains("no such entry")));
        for (account, reason) in [("two", "more than one"), ("empty", "empty"), ("locked", "locked")] {
            let answer = look_on(&client, "nbhd", account);
            assert!(
                matches!(answer, Err(Missing::Refused(why)) if why.contains(reason)),
                "{account}"
            );
        }
        assert!(!asked.load(Ordering::Relaxed), "unlocking would ask the user");
    }
}
