//! Our requests against the published description of the Bot API: the method is there, every field is a parameter of it, and what is
//! required is given.

use std::sync::Arc;

use nbhd_channels::testkit::Telegram as StandIn;
use nbhd_channels::{Message, Telegram};
use nbhd_core::Host;
use nbhd_core::testkit::shared_fixtures;
use serde_json::Value;

struct Api(Value);

impl Api {
    /// Checks an object against a list of fields, and what it holds against the types of these.
    fn check(&self, what: &str, fields: &Value, given: &Value, checked: &mut usize) {
        let fields = fields.as_array().map_or(&[][..], Vec::as_slice);
        let given = given.as_object().unwrap_or_else(|| panic!("{what} is no object"));
        for field in fields.iter().filter(|field| field["required"] == true) {
            let name = field["name"].as_str().expect("a name");
            assert!(given.contains_key(name), "{what} lacks {name}");
        }
        for (name, value) in given {
            let field = fields.iter().find(|field| field["name"] == name.as_str());
            let field = field.unwrap_or_else(|| panic!("{what} has no {name}"));
            let types: Vec<&str> = field["types"]
                .as_array()
                .expect("types")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert!(
                types.iter().any(|kind| self.fits(kind, value, checked)),
                "{what}.{name}: {value} is none of {types:?}"
            );
            *checked += 1;
        }
    }

    fn fits(&self, kind: &str, value: &Value, checked: &mut usize) -> bool {
        if let Some(inner) = kind.strip_prefix("Array of ") {
            return value
                .as_array()
                .is_some_and(|list| list.iter().all(|value| self.fits(inner, value, checked)));
        }
        match kind {
            "Integer" => value.is_i64(),
            "String" => value.is_string(),
            "Boolean" => value.is_boolean(),
            _ => match self.0["types"].get(kind) {
                Some(described) if value.is_object() => {
                    self.check(kind, &described["fields"], value, checked);
                    true
                }
                _ => false,
            },
        }
    }
}

#[tokio::test]
async fn requests_are_what_the_api_describes() {
    let Some(fixtures) = shared_fixtures() else {
        println!("skipped: shared fixtures are not here");
        return;
    };
    #[expect(clippy::disallowed_methods, reason = "fixtures are read in place")]
    let text = std::fs::read_to_string(fixtures.join("schemas/telegram-bot-api.json")).expect("readable");
    let api = Api(serde_json::from_str(&text).expect("JSON"));
    let server = Arc::new(StandIn::start().expect("a stand-in"));
    let host = Host::new("memory:").expect("a host");
    let bot: Telegram = server.client(&host).expect("a bot");
    server.add_chat(-1_001_234_567_890);
    bot.probe().await.expect("a bot");
    let markdown = "# Head\n\n**b** *i* ~~s~~ ||p|| `c` [l](https://e.org)\n\n> q\n\n```rust\ncode\n```\n\n| a |\n|---|\n| 1 |\n\n".to_owned() + &"word ".repeat(1000);
    let message = Message::markdown("telegram:123456:-1001234567890:7", markdown)
        .with_reply_to("5")
        .with_silent(true);
    assert_eq!(bot.send(message).await.expect("sent").parts.len(), 2);
    bot.edit("1", Message::markdown("-1001234567890", "**b** `c`"))
        .await
        .expect("edited");
    bot.typing("telegram:123456:-1001234567890:7")
        .await
        .expect("typing");
    let mut checked = 0;
    let calls = server.server().log().calls();
    assert_eq!(calls.len(), 5);
    for call in calls {
        assert_eq!(call.method, "POST");
        let name = call.path.rsplit('/').next().expect("a method");
        assert_eq!(call.path, format!("/bot{}/{name}", server.token()));
        let method = api.0["methods"]
            .get(name)
            .unwrap_or_else(|| panic!("there is no {name}"));
        if !call.body.is_empty() {
            assert_eq!(call.header("content-type"), Some("application/json"));
            api.check(name, &method["fields"], &call.json(), &mut checked);
        }
    }
    println!("{checked} fields of 5 requests are as described");
    assert!(checked >= 40, "{checked}");
}
