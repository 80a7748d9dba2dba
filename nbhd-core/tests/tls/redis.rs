//! `rediss://` against a real server: its certificate counts, and without one nothing is said to it.

use std::net::TcpListener;

use nbhd_core::store::{Commit, RedisStore, Store, Write};
use nbhd_core::testkit::{RedisFsync, RedisServer};
use nbhd_core::{Code, Error, Outcome};

use super::certificate::trusting;

async fn refused(address: &str) -> Error {
    let store = RedisStore::new(address).unwrap();
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent, "{address}: {error}");
    error
}

#[tokio::test]
async fn the_certificate_of_the_server_is_verified() {
    let Some(certificates) = trusting("redis::the_certificate_of_the_server_is_verified") else {
        return;
    };
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .unwrap()
        .port();
    let server = RedisServer::start_with(
        RedisFsync::Always,
        &[
            ("tls-port", port.to_string().as_str()),
            ("tls-cert-file", certificates.certificate("known").as_str()),
            ("tls-key-file", certificates.key("known").as_str()),
            ("tls-auth-clients", "no"),
        ],
    );
    let address = format!("rediss://127.0.0.1:{port}/0");
    let store = RedisStore::new(&address).unwrap();
    store.create().await.unwrap();
    let put = Write::Put {
        key: "a".to_owned(),
        value: "1".to_owned(),
        ttl: None,
    };
    store.commit(Commit::new().write(put)).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "1");

    let elsewhere = refused(&address.replace("127.0.0.1", "localhost")).await;
    assert_eq!(elsewhere.code(), Code::TlsFailed, "another name: {elsewhere}");
    let foreign = [certificates.certificate("foreign"), certificates.key("foreign")];
    let [certificate, key] = foreign.each_ref().map(String::as_str);
    let changed = server.command(&["CONFIG", "SET", "tls-cert-file", certificate, "tls-key-file", key]);
    assert_eq!(changed, "OK");
    let unknown = refused(&address).await;
    assert_eq!(
        unknown.code(),
        Code::TlsFailed,
        "nobody vouches for it: {unknown}"
    );
    assert!(!unknown.retryable());

    // A server without TLS waits for the end of what it takes for a command: nothing is said to it, and the deadline ends it.
    let plain = server.address().replace("redis://", "rediss://");
    let plain = refused(&format!("{plain}?deadline=0.4")).await;
    assert_eq!(plain.code(), Code::StoreUnavailable, "{plain}");
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_handshake_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("rediss://{}/0", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream);
        }
    });
    let error = refused(&address).await;
    assert_eq!(error.code(), Code::StoreUnavailable, "{error}");
    assert!(error.retryable());
}
