//! The stand-in's own strictness, and our renderers against it.

use nbhd_core::http::Method;
use nbhd_core::testkit::Call;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::parameters::Parameters;
use super::state::State;
use super::{entity, html, markdown, methods};
use crate::telegram;
use crate::text::{Limits, Text, Unit, split};

fn call(method: &str, parameters: &Value) -> Result<Value, String> {
    let mut state = State::new(1, "s".to_owned());
    state.chats.insert(42);
    let mut call = Call::new(Method::POST, "/");
    call.headers
        .insert("content-type", "application/json".parse().expect("a value"));
    call.body = parameters.to_string().into();
    let parameters = Parameters::read(&call).expect("parameters");
    methods::run(&mut state, method, &parameters, 0)
        .expect("a method")
        .map_err(|refused| refused.description)
}

fn refusal(parameters: Value) -> String {
    call("sendmessage", &parameters).expect_err("refused")
}

#[test]
fn what_the_real_one_refuses_is_refused() {
    let text = |text: &str| json!({ "chat_id": 42, "text": text });
    let entity = |offset: i64, length: i64| json!({ "chat_id": 42, "text": "a😀b", "entities": [{ "type": "bold", "offset": offset, "length": length }] });
    let mode = |mode: &str, text: &str| json!({ "chat_id": 42, "text": text, "parse_mode": mode });
    let table = [
        (json!({ "text": "x" }), "chat_id is empty"),
        (json!({ "chat_id": 43, "text": "x" }), "chat not found"),
        (text(""), "message text is empty"),
        (text("  \n"), "message text is empty"),
        (text(&"x".repeat(4097)), "message is too long"),
        (text(&"😀".repeat(2049)), "message is too long"),
        (entity(0, 9), "ends after the end of the text"),
        (entity(2, 1), "begins in a middle of a UTF-16 symbol"),
        (entity(0, 2), "ends in a middle of a UTF-16 symbol"),
        (entity(-1, 2), "can't parse MessageEntity"),
        (mode("MarkdownV2", "done."), "Character '.' is reserved"),
        (mode("MarkdownV2", "*bold"), "Can't find end of bold entity"),
        (mode("MarkdownV2", "`code"), "Can't find end of code entity"),
        (mode("HTML", "<b>bold"), "Can't find end tag"),
        (mode("HTML", "<b><i>x</b></i>"), "Unmatched end tag"),
        (mode("HTML", "<div>x</div>"), "Unsupported start tag"),
        (mode("Textile", "x"), "unsupported parse_mode"),
        (
            json!({ "chat_id": 42, "text": "x", "reply_parameters": { "message_id": 9 } }),
            "message to be replied not found",
        ),
    ];
    for (parameters, expected) in table {
        let description = refusal(parameters);
        assert!(
            description.starts_with("Bad Request: ") && description.contains(expected),
            "{description}"
        );
    }
    assert!(call("sendmessage", &text(&"x".repeat(4096))).is_ok());
    // The limit is that of what is read, not of what is written.
    assert!(
        call(
            "sendmessage",
            &mode("HTML", &format!("<b>{}</b>", "&amp;".repeat(4096)))
        )
        .is_ok()
    );
    assert!(call("sendmessage", &json!({ "chat_id": "42", "text": "x" })).is_ok());
}

#[test]
fn marked_up_text_is_read_as_the_documentation_says() {
    let (text, entities) = markdown::parse(
        "*bold _italic bold ~struck~_* ||x|| [a\\.b](https://e.org/\\)) `c\\`d`\n>q1\n>q2\nend",
    )
    .expect("parsed");
    assert_eq!(text, "bold italic bold struck x a.b c`d\nq1\nq2\nend");
    assert_eq!(entities[0], json!({ "type": "bold", "offset": 0, "length": 23 }));
    assert_eq!(
        entities[1],
        json!({ "type": "italic", "offset": 5, "length": 18 })
    );
    assert_eq!(
        entities[4],
        json!({ "type": "text_link", "offset": 26, "length": 3, "url": "https://e.org/)" })
    );
    assert_eq!(
        entities[6],
        json!({ "type": "blockquote", "offset": 34, "length": 5 })
    );
    let (text, entities) = markdown::parse("```rust\nlet a;\n```").expect("parsed");
    assert_eq!(
        (text.as_str(), &entities[0]["language"]),
        ("let a;\n", &json!("rust"))
    );
    let (text, entities) = html::parse(
        "<a href=\"https://e.org/?a=1&amp;b=2\">x</a> &lt;&#x1F600;&gt; <tg-spoiler>s</tg-spoiler>",
    )
    .expect("parsed");
    assert_eq!(text, "x <😀> s");
    assert_eq!(entities[0]["url"], "https://e.org/?a=1&b=2");
    assert_eq!(
        entities[1],
        json!({ "type": "spoiler", "offset": 7, "length": 1 })
    );
}

#[test]
fn bodies_of_all_three_kinds_are_read_alike() {
    let multipart = "--B\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n42\r\n--B\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na\r\nb\r\n--B--\r\n";
    let bodies = [
        ("application/json", "{\"chat_id\":42,\"text\":\"a\\r\\nb\"}"),
        ("application/x-www-form-urlencoded", "chat_id=42&text=a%0D%0Ab"),
        ("multipart/form-data; boundary=B", multipart),
    ];
    for (kind, body) in bodies {
        let mut call = Call::new(Method::POST, "/");
        call.headers
            .insert("content-type", kind.parse().expect("a value"));
        call.body = body.into();
        let parameters = Parameters::read(&call).expect(kind);
        assert_eq!(
            (parameters.number("chat_id"), parameters.text("text").as_deref()),
            (Some(42), Some("a\r\nb")),
            "{kind}"
        );
    }
    let mut call = Call::new(Method::POST, "/");
    call.headers
        .insert("content-type", "application/json".parse().expect("a value"));
    call.body = "[".into();
    assert!(Parameters::read(&call).is_none());
}

#[test]
fn an_edit_that_changes_nothing_and_a_message_that_is_gone_are_said_so() {
    let mut state = State::new(1, "s".to_owned());
    state.chats.insert(42);
    let mut run = |method: &str, parameters: Value| {
        let mut call = Call::new(Method::POST, "/");
        call.headers
            .insert("content-type", "application/json".parse().expect("a value"));
        call.body = parameters.to_string().into();
        let parameters = Parameters::read(&call).expect("parameters");
        methods::run(&mut state, method, &parameters, 0)
            .expect("a method")
            .map_err(|refused| refused.description)
    };
    let id = run("sendmessage", json!({ "chat_id": 42, "text": "a" })).expect("sent")["message_id"].clone();
    let edit = |text: &str| json!({ "chat_id": 42, "message_id": id, "text": text });
    assert!(
        run("editmessagetext", edit("a"))
            .expect_err("refused")
            .contains("message is not modified")
    );
    assert!(run("editmessagetext", edit("b")).is_ok());
    assert!(run("deletemessage", json!({ "chat_id": 42, "message_id": id })).is_ok());
    assert!(
        run("editmessagetext", edit("c"))
            .expect_err("refused")
            .contains("message to edit not found")
    );
    assert!(run("setwebhook", json!({ "url": "http://e.org" })).is_err());
    assert!(
        run(
            "setwebhook",
            json!({ "url": "https://e.org", "secret_token": "no spaces" })
        )
        .is_err()
    );
    assert!(run("sendchataction", json!({ "chat_id": 42, "action": "dancing" })).is_err());
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z😀é<>&\" ]{0,10}",
        "[*_~`|#>\\[\\]()!<&\\\\\n -]{1,8}",
        Just("# Head **bold** `code`\n\n".to_owned()),
        Just("**b `c` [l *i* `k`](https://e.org/?a=\"&b) ~~s~~ ||p **q** p||** ".to_owned()),
        Just("\n> quote\n> > inner\n>\n> ```js\n> code\n> ```\n\n".to_owned()),
        Just("\n\n- a\n  1. `b`\n     > c\n".to_owned()),
        Just("\n\n| a | **b** |\n|---|---|\n| 1 | [x](https://e.org) |\n\n".to_owned()),
        Just("*a* ".repeat(60)),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entities_are_always_accepted(markdown in hostile()) {
        let text = Text::from_markdown(&markdown).with_code_apart();
        for part in split(&text, Limits::new(Unit::Utf16, 120).with_spans(100)) {
            let entities: Vec<Value> = telegram::entities(&part).iter().map(|entity| json!(entity)).collect();
            prop_assert_eq!(entity::fault(&part.content, &entities), None, "{:?}", part);
        }
    }

    #[test]
    fn html_says_the_same_as_entities(markdown in hostile()) {
        let text = Text::from_markdown(&markdown);
        let html = telegram::html(&text);
        let (read, entities) = html::parse(&html).map_err(|why| TestCaseError::fail(format!("{why}: {html}")))?;
        prop_assert_eq!(&read, &text.content);
        let ours: Vec<Value> = telegram::entities(&text).iter().map(|entity| json!(entity)).collect();
        let sorted = |list: &[Value]| {
            let mut list: Vec<String> = list
                .iter()
                .map(|entity| format!("{} {} {} {}", entity["offset"], entity["length"], entity["type"], entity["url"]))
                .collect();
            list.sort();
            list
        };
        prop_assert_eq!(sorted(&entities), sorted(&ours));
    }
}
