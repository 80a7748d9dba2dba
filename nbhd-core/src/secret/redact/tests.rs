//! Canaries in every form in which they were met.

use proptest::prelude::*;

use super::{redact, redact_to, redaction_work};

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
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("Bearer abcdefghijklmnopqrstuvwxyz", "Bearer ***"),
        ("Bearer a1b2c3.", "Bearer ***"),
        ("<Password>hunter2</Password>", "<Password>***</Password>"),
        (
            "the api key is wrong, api key: canary",
            "the api key is wrong, api key: ***",
        ),
        ("SMTP_PASS=canary next", "SMTP_PASS=*** next"),
        (
            "Authorization: Digest username=\"a\", response=\"canary\"\nx",
            "Authorization: ***\nx",
        ),
        ("{\"token\":\"\",\"n\":1}", "{\"token\":\"\",\"n\":1}"),
        ("password = 'can ary' next", "password = '***' next"),
        (
            "postgres://user:canary@db.test:5432/app",
            "postgres://***@db.test:5432/app",
        ),
        ("\"password\" : \"can ary\"", "\"password\" : \"***\""),
        (":api_token => \"canary\"", ":api_token => \"***\""),
        ("src='data:image/svg+xml;utf8,%3Csvg%3E'", "src='data:***'"),
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

/// Ten times the input is at most ten times the work and a little, counted in bytes looked at: 100 KB of each piece, 1 MB of all of
/// them together. Nothing is timed.
#[test]
fn hostile_input_is_linear() {
    const SHORT: usize = 100_000;
    let hostile = [
        "data:",
        "data:a",
        "data:,",
        "://",
        "a://b@",
        "https://@",
        "sk-",
        "sk-~",
        "1//",
        "4/0A",
        "ico-~",
        "A3-~",
        "pat~",
        "dapi",
        "key-0",
        "eyJ",
        "token=",
        "token='",
        "\"token\":\"",
        "\"token\" : ",
        "token\\\"",
        "\\\"token\\\":\\\"",
        "token:\\",
        "<token>",
        "token: \\\\",
        "Bearer ",
        "bearer a",
        "Basic ",
        "Basic QTpi",
        "a/",
        "0/",
        "?a=",
        "?",
        "=",
        "a-",
        "-----BEGIN",
        "-----BEGIN -----END",
        "123456:",
        "bot123456:",
        "1",
        "A",
        "a",
        "a1",
        "_",
        "\\",
        "\\u0041",
        "%",
        "%2",
        "%20",
        "\"",
        "'",
        " ",
        "cookie:",
        "authorization: digest ",
        "api key=",
        "é",
        "🦀",
        "\0",
    ];
    let lone = [
        "A3-",
        "token='",
        "\"token\":\"",
        "data:a",
        "-----BEGIN",
        "://",
        "cookie:",
        "Basic ",
        "<token>",
        "1",
    ];
    let mut worst = 0.0_f64;
    let mut compare = |short: &str, long: &str| {
        let (few, many) = (redaction_work(short), redaction_work(long));
        let ratio = many as f64 / few as f64;
        assert!(ratio <= 10.5, "{:?}: {few} became {many}", &long[..16]);
        worst = worst.max(many as f64 / long.len() as f64);
    };
    for piece in hostile {
        let make = |length: usize| piece.repeat(length / piece.len());
        compare(&make(SHORT / 10), &make(SHORT));
    }
    // The longest: all of them in turn, and one beginning with a long rest that never closes it.
    let all = hostile.concat();
    compare(
        &all.repeat(SHORT / all.len()),
        &all.repeat(SHORT * 10 / all.len()),
    );
    for piece in lone {
        let make = |length: usize| format!("{piece}{}", "~a".repeat(length / 2));
        compare(&make(SHORT), &make(SHORT * 10));
    }
    println!("at most {worst:.1} looks at a byte");
    assert!(worst < 60.0, "{worst} looks at a byte");
}

/// What people and programs write every day stays as it is.
#[test]
fn ordinary_text_stays() {
    let table = [
        "Dear Ada, thank you for the report; I will read it tonight and answer by Friday, 27 November 2026 at 09:30.",
        "The secret of a good soup is time, and a token of thanks goes to the cook.",
        "Basic setup is described below; a bearer of bad news is never welcome. The basic idea: keep it short.",
        "She kept the key to the cellar. The primary key is id, the foreign key: user_id.",
        "Set max_tokens to 100 and temperature=0.7, then retry_after: 1.5 applies.",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 by someone",
        "9fceb02 docs: say why (#1234)",
        "id 550e8400-e29b-41d4-a716-446655440000 was not found",
        "/usr/lib/python3.11/site-packages/google/auth/transport/requests.py:142 in refresh",
        "C:\\Users\\ada\\Documents\\Projects\\nbhd\\target\\debug\\build\\output.txt",
        "a_function_whose_name_says_everything_that_it_does_and_then_some_more_and_more_of_it",
        "https://www.googleapis.com/auth/gmail.readonly",
        "GET https://gmail.googleapis.com/gmail/v1/users/me/messages/18c1f2a3b4c5d6e7 answered 404",
        "2026-11-21T08:00:00+00:00 INFO nbhd: 3 of 5 parts sent in 1.24 s, 192.168.1.10:8080, fe80::1",
        "Message-ID: <CAKx8=_Qz1+abcdefghij@mail.gmail.com>",
        "gmail:18c1f2a3b4c5d6e7 and gcal:abc123def456_20261121T080000Z",
        "d41d8cd98f00b204e9800998ecf8427e is the MD5 of nothing",
        "model gpt-4o-mini-2024-07-18 and claude-3-5-sonnet-20241022 and mistral/labs-devstral-small-2512",
        "scikit-learn==1.5.2, sk-dist and task-sk-learn are packages; patterns and SKUs are words",
        "call +49 30 901820, room 4/0 (building A3-12), version v1.0-rc1",
        "error[E0277]: the trait bound `T: Send` is not satisfied --> src/lib.rs:10:5",
        "SELECT id, name FROM account WHERE tenant = 42 AND state <> 'active';",
        "Grüße aus Köln, こんにちは、世界 🦀",
        "some data: 1, 2, 3; the metadata:",
    ];
    for text in table {
        assert_eq!(redact(text), text);
    }
}

/// Mail that people wrote, with the replies they quoted: hardly anything goes.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
fn real_mail_stays() {
    let Some(folder) = crate::testkit::shared_fixtures() else {
        println!("skipped: shared fixtures are not here");
        return;
    };
    let (mut words, mut gone, mut files) = (0, 0, 0);
    for folder in ["reply/github", "reply/zapier"].map(|name| folder.join(name)) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let Ok(text) = String::from_utf8(std::fs::read(entry.path()).expect("a file")) else {
                continue;
            };
            let clean = redact(&text);
            let stars = |text: &str| text.matches("***").count();
            words += text.split_whitespace().count();
            gone += stars(&clean) - stars(&text);
            files += 1;
        }
    }
    println!("{files} mails of {words} words: {gone} replacements");
    assert!(files > 20 && gone * 200 < words, "{gone} of {words}");
}

#[test]
fn a_value_is_quoted_ever_deeper() {
    let mut text = "{\"client_secret\": \"can\\\"ary \\\\\", \"n\": 1}".to_owned();
    for depth in 0..6 {
        let clean = redact(&text);
        assert!(
            !clean.contains("ary") && clean.contains('n') && clean.contains('1'),
            "{depth}: {clean}"
        );
        text = serde_json::json!({ "body": text }).to_string();
    }
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
