//! The stand-in beside the providers: what it bills is what they read, and it refuses what the real ones refuse.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use futures::StreamExt;
use nbhd_core::http::{Request, Response};
use nbhd_core::testkit::Fault;
use nbhd_core::{Code, Host, Operation, Outcome, Result};
use nbhd_llm::chat::{Chat, FinishReason, Message, Tool, Usage};
use nbhd_llm::provider::{Provider, ProviderAnswer, ProviderEvent, RequestOptions};
use nbhd_llm::registry::provider;
use nbhd_llm::testkit::{BillEntry, ModelStandIn, StandInCatalog, StandInModel};
use serde_json::json;

struct Asked {
    models: ModelStandIn,
    host: Host,
}

impl Asked {
    fn new() -> Self {
        Self {
            models: ModelStandIn::start().unwrap(),
            host: Host::new("memory:").unwrap(),
        }
    }

    fn provider(&self, name: &str) -> Arc<dyn Provider> {
        provider(name, &self.models.config(name)).unwrap()
    }

    async fn send(&self, request: Request) -> Result<Response> {
        let operation = Operation::begin(&self.host, "llm.test");
        self.host.socket().send(&operation, request).await
    }

    async fn ask(
        &self,
        name: &str,
        model: &str,
        chat: &Chat,
        options: &RequestOptions,
    ) -> Result<ProviderAnswer> {
        let provider = self.provider(name);
        let response = self.send(provider.request(chat, model, options)?).await?;
        if response.status != 200 {
            let (status, headers) = (response.status, response.headers.clone());
            let body = response.bytes().await?;
            return Err(provider.error(status, &headers, &body, self.host.clock().now()));
        }
        if !options.stream {
            return provider.answer(&response.bytes().await?);
        }
        let mut decoder = provider.stream();
        let mut events = Vec::new();
        let mut body = response.into_stream();
        while let Some(piece) = body.next().await {
            decoder.feed(&piece?, &mut events)?;
        }
        let answer = decoder.finish(&mut events)?;
        let text: String = events
            .iter()
            .filter_map(|event| match event {
                ProviderEvent::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(text, answer.text);
        Ok(answer)
    }
}

const PROMPT: &str =
    "Brief me.\n\n- gmail:18c2\n  From: Ann\n  Subject: Please review the offer\n\n- gcal:e1 Standup\n";

fn same(usage: Usage, entry: &BillEntry) {
    assert_eq!(usage.input_tokens(), entry.input_tokens);
    assert_eq!(usage.output_tokens(), entry.output_tokens);
    assert_eq!(usage.reasoning, Some(entry.reasoning_tokens));
    assert_eq!(usage.cache_read, Some(entry.cached_tokens));
    assert!(usage.adds_up());
}

#[tokio::test]
async fn what_is_billed_is_what_is_read_whole_and_streamed_at_every_provider() {
    let asked = Asked::new();
    let mut count = 0;
    for (name, model) in [
        ("openai", "gpt-4o-mini"),
        ("openai", "gpt-5-mini"),
        ("mistral", "labs-devstral-small-2512"),
        ("moonshot", "kimi-k2.5"),
        ("ollama", "llama3.2"),
    ] {
        for stream in [false, true] {
            let options = RequestOptions::new(600).with_stream(stream);
            let answer = asked
                .ask(name, model, &Chat::user(PROMPT), &options)
                .await
                .unwrap();
            assert!(
                answer.text.contains("gmail:18c2") && answer.text.contains("stand-in"),
                "{}",
                answer.text
            );
            assert_eq!(answer.finish_reason, Some(FinishReason::Stop));
            assert_eq!(answer.model.as_deref(), Some(model));
            let bill = asked.models.bill();
            let entry = bill.entries.last().unwrap();
            same(answer.usage.unwrap(), entry);
            assert_eq!((entry.provider.as_str(), entry.stream), (name, stream));
            count += 1;
            assert_eq!(bill.entries.len(), count);
        }
    }
    assert_eq!(asked.models.calls("llm.chat"), count);
    assert_eq!(asked.models.calls("llm.chat:gpt-4o-mini"), 2);
    let bill = asked.models.bill();
    assert_eq!(
        bill.nano_usd,
        bill.entries.iter().map(|entry| entry.nano_usd).sum::<i64>()
    );
    assert_eq!(bill.by_model["ollama/llama3.2"], 0);
    assert!(bill.by_model["openai/gpt-4o-mini"] > 0);
}

#[tokio::test]
async fn a_tool_is_called_and_its_answer_is_told() {
    let asked = Asked::new();
    let tool = Tool::new(
        "get_weather",
        "",
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
    );
    for (name, model) in [("openai", "gpt-4o-mini"), ("mistral", "mistral-small-2603")] {
        for stream in [false, true] {
            let options = RequestOptions::new(600).with_stream(stream);
            let chat = Chat::user("Please get the weather in Rome").with_tools([tool.clone()]);
            let answer = asked.ask(name, model, &chat, &options).await.unwrap();
            assert_eq!(answer.finish_reason, Some(FinishReason::ToolCalls));
            assert_eq!(answer.tool_calls.len(), 1);
            let call = answer.tool_calls[0].clone();
            assert_eq!(
                (call.name.as_str(), &call.arguments),
                ("get_weather", &json!({"city": "Rome"}))
            );
            let chat = chat
                .with_message(Message::assistant("").with_tool_calls([call.clone()]))
                .with_message(Message::tool(&call.id, "Sunny, 21 degrees."));
            let answer = asked.ask(name, model, &chat, &options).await.unwrap();
            assert!(answer.text.contains("Sunny, 21 degrees."), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_cap_is_kept_and_a_shape_is_filled() {
    let asked = Asked::new();
    let answer = asked
        .ask(
            "openai",
            "gpt-4o-mini",
            &Chat::user(PROMPT),
            &RequestOptions::new(5),
        )
        .await
        .unwrap();
    assert_eq!(answer.finish_reason, Some(FinishReason::Length));
    assert_eq!(answer.usage.unwrap().output_tokens(), 5);
    let schema = json!({"type": "object", "properties": {"inbox": {"type": "array", "items": {"type": "object",
        "properties": {"source_ref": {"type": "string"}, "subject": {"type": "string"}}}}}});
    let chat = Chat::user(PROMPT).with_schema("brief", schema);
    let answer = asked
        .ask("openai", "gpt-4o-mini", &chat, &RequestOptions::new(600))
        .await
        .unwrap();
    let value: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(
        value,
        json!({"inbox": [{"source_ref": "gmail:18c2", "subject": "Please review the offer"}]})
    );
}

#[tokio::test]
async fn a_long_prompt_seen_before_comes_from_the_cache() {
    let asked = Asked::new();
    let chat = Chat::user("word ".repeat(1_200));
    let options = RequestOptions::new(100);
    asked.ask("openai", "gpt-4o-mini", &chat, &options).await.unwrap();
    let answer = asked.ask("openai", "gpt-4o-mini", &chat, &options).await.unwrap();
    let bill = asked.models.bill();
    assert_eq!(bill.entries[0].cached_tokens, 0);
    assert!(bill.entries[1].cached_tokens >= 1_024);
    same(answer.usage.unwrap(), &bill.entries[1]);
    assert!(bill.entries[1].nano_usd < bill.entries[0].nano_usd);
}

#[tokio::test]
async fn what_the_real_ones_refuse_is_refused_and_not_billed() {
    let asked = Asked::new();
    let options = RequestOptions::new(600);
    for (name, code) in [("openai", "model_not_found"), ("mistral", "1500")] {
        let error = asked
            .ask(name, "nothing", &Chat::user("Hi"), &options)
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.provider_reason()),
            (Code::ModelNotFound, Some(code)),
            "{error}"
        );
        assert!(error.request_id().is_some(), "{error}");
    }
    for name in ["openai", "mistral", "moonshot"] {
        let mut config = asked.models.config(name);
        config.api_key = Some(nbhd_core::Secret::new("").into());
        let provider = provider(name, &config).unwrap();
        let response = asked
            .send(
                provider
                    .request(&Chat::user("Hi"), "gpt-4o-mini", &options)
                    .unwrap(),
            )
            .await
            .unwrap();
        let (status, headers) = (response.status, response.headers.clone());
        let error = provider.error(
            status,
            &headers,
            &response.bytes().await.unwrap(),
            asked.host.clock().now(),
        );
        assert_eq!(
            (error.code(), error.outcome()),
            (Code::Unauthenticated, Outcome::Refused),
            "{error}"
        );
    }
    // Fields that one provider knows are unknown to another.
    let url = format!("{}/chat/completions", asked.models.base_url("mistral"))
        .parse()
        .unwrap();
    let request = asked
        .provider("openai")
        .request(&Chat::user("Hi"), "mistral-small-2603", &options)
        .unwrap();
    let response = asked.send(Request { url, ..request }).await.unwrap();
    assert_eq!(response.status, 422);
    assert_eq!(asked.models.bill().entries, []);
}

#[tokio::test]
async fn faults_are_of_a_label_or_of_one_model() {
    let asked = Asked::new();
    let options = RequestOptions::new(600);
    let rate =
        json!({"error": {"message": "m", "type": "requests", "param": null, "code": "rate_limit_exceeded"}});
    let fault: Fault =
        serde_json::from_value(json!({"status": {"status": 429, "retry_after": 1.5, "body": rate}})).unwrap();
    asked.models.fail("llm.chat:gpt-4o-mini", fault, 1);
    let chat = Chat::user("Hi");
    asked
        .ask("mistral", "mistral-small-2603", &chat, &options)
        .await
        .unwrap();
    let error = asked
        .ask("openai", "gpt-4o-mini", &chat, &options)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::RateLimited);
    assert_eq!(error.retry_after().unwrap().as_millis(), 1_500);
    asked.ask("openai", "gpt-4o-mini", &chat, &options).await.unwrap();
    assert_eq!(asked.models.bill().entries.len(), 2);

    // A cut stream is billed: the provider does not know that nobody reads.
    asked.models.fail("llm.chat", Fault::Cut, 1);
    let streamed = RequestOptions::new(600).with_stream(true);
    let error = asked
        .ask("openai", "gpt-4o-mini", &chat, &streamed)
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(asked.models.bill().entries.len(), 3);
    asked.models.fail("llm.chat", Fault::status(503), 5);
    asked.models.clear_faults();
    asked.ask("openai", "gpt-4o-mini", &chat, &options).await.unwrap();
}

#[tokio::test]
async fn models_are_listed_and_the_bill_is_told_to_other_processes() {
    let catalog = StandInCatalog::empty()
        .with_model(StandInModel::new("openai", "tiny").with_prices(1_000_000, 2_000_000));
    let asked = Asked {
        models: ModelStandIn::start_with(catalog, 0).unwrap(),
        host: Host::new("memory:").unwrap(),
    };
    let options = RequestOptions::new(10);
    let request = asked.provider("openai").models_request(&options).unwrap();
    let list: serde_json::Value = asked.send(request.clone()).await.unwrap().json().await.unwrap();
    assert_eq!(list["data"][0]["id"], "tiny");
    asked
        .ask("openai", "tiny", &Chat::user("Hi"), &options)
        .await
        .unwrap();
    let url = format!("http://127.0.0.1:{}/bill", asked.models.port())
        .parse()
        .unwrap();
    let bill: nbhd_llm::testkit::Bill = asked
        .send(Request { url, ..request })
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(bill, asked.models.bill());
    // 8 tokens in at 0.001 and 10 out at 0.002 USD per million.
    assert_eq!(
        (
            bill.entries[0].input_tokens,
            bill.entries[0].output_tokens,
            bill.nano_usd
        ),
        (8, 10, 28)
    );
}
