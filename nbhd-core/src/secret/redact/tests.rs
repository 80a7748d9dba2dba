//! Canaries in every form in which they were met.

use proptest::prelude::*;

use super::{redact, redact_to};

#[test]
fn keys_and_tokens_go_words_stay() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    let long = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODk=";
    let table = [
        ("Authorization: Bearer abc", "Authorization: Bearer ***"),
        (
            "authorization: Basic dXNlcjpwYXNz, next",
            "authorization: Basic ***, next",
        ),
        ("a bearer token is missing", "a bearer token is missing"),
        ("key sk-proj-0123456789 is wrong", "key *** is wrong"),
        (
            "https://api.telegram.org/bot123456789:AAEhBP0av28FrlPaGkYnfd6Zy5W2Vq3kLmN/getMe",
            "https://api.telegram.org/***/getMe",
        ),
        ("bot 123456789:AAEhBP0av28FrlPaGkYnfd6Zy5W2Vq3kLmN.", "bot ***."),
        ("bot123456789%3AAAEhBP0av28FrlPaGkYnfd6Zy5W2Vq3kLmN", "***"),
        ("the answer is 42: fine", "the answer is 42: fine"),
        ("revoke 1//0gAbCdEfGh/iJ-kL_m now", "revoke *** now"),
        ("code 4/0AY0e-g7abcdefgh", "code ***"),
        ("got ya29.a0AfH6SMBxyz-_123 back", "got *** back"),
        (jwt, "***"),
        (
            "{\"refresh_token\": \"canary\", \"n\": 1}",
            "{\"refresh_token\": \"***\", \"n\": 1}",
        ),
        (
            "{\"refreshToken\":\"can\\\"ary\",\"n\":1}",
            "{\"refreshToken\":\"***\",\"n\":1}",
        ),
        (
            "{\\\"access_token\\\":\\\"canary\\\",\\\"n\\\":1}",
            "{\\\"access_token\\\":\\\"***\\\",\\\"n\\\":1}",
        ),
        ("{'client_secret': 'canary'}", "{'client_secret': '***'}"),
        (
            "client_secret=canary&grant_type=x",
            "client_secret=***&grant_type=x",
        ),
        ("X-Api-Key: canary\nAccept: */*", "X-Api-Key: ***\nAccept: */*"),
        (
            "Set-Cookie: sid=canary; Path=/; other=canary\nx",
            "Set-Cookie: ***\nx",
        ),
        ("password: hunter2", "password: ***"),
        ("token%3Dcanary%26x", "token%3D***"),
        (
            "{\"token\": null, \"max_tokens\": 100}",
            "{\"token\": null, \"max_tokens\": 100}",
        ),
        (
            "GET https://a.test/x?key=canary&b=1 failed",
            "GET https://a.test/x?*** failed",
        ),
        ("https://a.test/cb#access=canary", "https://a.test/cb#***"),
        ("https://user:canary@a.test/x", "https://***@a.test/x"),
        ("/v1/x?q=canary \"y\"", "/v1/x?*** \"y\""),
        ("Really? yes", "Really? yes"),
        ("data:image/png;name=a;base64,iVBORw0KGgo= end", "data:*** end"),
        ("some data: text", "some data: text"),
        (long, "***"),
        ("\\nsk-proj-0123456789", "\\n***"),
        ("%22sk-proj-0123456789%22", "%22***%22"),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY----- x",
            "*** x",
        ),
        (
            "die Straße ist größer 🦀 sk-proj-0123456789 é",
            "die Straße ist größer 🦀 *** é",
        ),
        (
            "/home/someone/projects/a/b/c/nbhd/target/debug/deps/what/ever/else/x",
            "/home/someone/projects/a/b/c/nbhd/target/debug/deps/what/ever/else/x",
        ),
        (
            "gmail.messages.get answered 404 notFound",
            "gmail.messages.get answered 404 notFound",
        ),
        ("task-sk-0", "task-sk-0"),
        ("", ""),
    ];
    for (text, expected) in table {
        let clean = redact(text);
        assert_eq!(clean, expected);
        assert_eq!(redact(&clean), clean, "again changes nothing");
    }
}

#[test]
fn a_cut_counts_characters() {
    assert_eq!(redact_to("größer als", 6), "größe…");
    assert_eq!(redact_to("kurz", 4), "kurz");
    assert_eq!(redact_to("sk-proj-0123456789", 5), "***");
}

/// Doubling hostile input must about double the work; the time is not looked at, the steps are bounded by construction. What is
/// tested here is that such input comes to an end at once even when it is large.
#[test]
fn hostile_input_is_linear() {
    let hostile = [
        "data:",
        "://",
        "sk-",
        "1//",
        "token=",
        "\"token\":\"",
        "Bearer ",
        "a/",
        "?a=",
        "-----BEGIN",
        "123456:",
        "\\",
        "%2",
        "token\\\"",
        "https://@",
        "data:a",
        "a-",
        "=",
        "?",
    ];
    let started = std::time::Instant::now();
    for piece in hostile {
        redact(&piece.repeat(200_000 / piece.len()));
    }
    assert!(
        started.elapsed().as_secs() < 60,
        "a quadratic pass would take hours"
    );
}

proptest! {
    #[test]
    fn any_text_and_no_canary(before in "\\PC{0,20}", after in "\\PC{0,20}", canary in "[A-Za-z0-9]{30,40}") {
        let _ = redact(&format!("{before}{after}"));
        let sinks = [
            format!("{before} sk-{canary} {after}"),
            format!("{before}\n{{\"api_key\":\"{canary}\"}}{after}"),
            format!("{before} https://a.test/x?y={canary}&z=1 {after}"),
            format!("{before}\nAuthorization: Bearer {canary}\n{after}"),
            format!("{before}\nhttps://a.test/bot12345678:{canary}/x {after}"),
        ];
        for text in sinks {
            prop_assert!(!redact(&text).contains(&canary), "{text} -> {}", redact(&text));
        }
    }
}
