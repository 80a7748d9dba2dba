//! A call through the router, beside the same bytes sent and parsed by hand.
//!
//! The raw call uses a client with the settings of our socket and parses into types of its own: what a careful programmer
//! would write. All arms take turns call by call.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use nbhd_core::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Url, header};
use nbhd_core::transport::{Layers, Transport, stack};
use nbhd_core::{Host, Operation, Secret};
use nbhd_llm::{Chat, Router};
use serde::{Deserialize, Serialize};

use super::Folder;
use crate::timing::{Figures, Times};
use crate::{Failure, samples};

/// The client that we compare with, set up as our socket's.
pub(crate) fn client() -> Result<reqwest::Client, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent("bench")
        .no_proxy()
        .build()?)
}

/// A router for the provider at `base`, with a tenant's budget that never ends.
pub(crate) fn router(host: &Host, base: &str) -> Result<Router, Failure> {
    let mut config = nbhd_llm::RouterConfig::from_toml(&format!(
        "[provider.openai]\nbase_url = \"{base}\"\n\
         [purpose.general]\nchain = [\"openai/{}\"]\nscopes = [\"tenant\"]\n\
         [budget.tenant]\nday = \"1000000 USD\"\n",
        samples::MODEL
    ))?;
    if let Some(openai) = config.provider.get_mut("openai") {
        *openai = openai.clone().with_api_key(Secret::new("bench-key"));
    }
    Ok(Router::new(host, config)?)
}

/// What everybody asks.
pub(crate) fn chat(bytes: usize) -> Chat {
    Chat::user(samples::prose(bytes))
        .with_scopes(["tenant:42"])
        .with_output_cap(4_096)
}

#[derive(Serialize)]
pub(crate) struct Ask<'a> {
    pub(crate) model: &'a str,
    pub(crate) messages: [Turn<'a>; 1],
    pub(crate) max_completion_tokens: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stream: bool,
}

#[derive(Serialize)]
pub(crate) struct Turn<'a> {
    pub(crate) role: &'a str,
    pub(crate) content: &'a str,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(content: &'a str, stream: bool) -> Self {
        Self {
            model: samples::MODEL,
            messages: [Turn {
                role: "user",
                content,
            }],
            max_completion_tokens: 4_096,
            stream,
        }
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed to be compared, and never read")]
struct Reply {
    id: String,
    model: String,
    choices: Vec<Choice>,
    usage: Usage,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed to be compared, and never read")]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed to be compared, and never read")]
struct Message {
    role: String,
    content: Option<String>,
}

#[derive(Deserialize)]
#[expect(
    dead_code,
    clippy::struct_field_names,
    reason = "it is parsed to be compared, and never read; the names are the wire's"
)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

/// Answers from memory: what is left is our own work.
#[derive(Debug)]
struct InProcess {
    headers: HeaderMap,
    body: Bytes,
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, _operation: &Operation, _request: Request) -> nbhd_core::Result<Response> {
        Ok(Response::whole(
            StatusCode::OK,
            self.headers.clone(),
            self.body.clone(),
        ))
    }
}

pub(crate) struct Calls {
    times: usize,
    url: String,
    client: reqwest::Client,
    prompt: String,
    body: Bytes,
    reply: Bytes,
    chat: Chat,
    memory: Router,
    sqlite: Router,
    in_process: Router,
    host: Host,
    stack: Arc<dyn Transport>,
    _folder: Folder,
}

impl Calls {
    pub(crate) fn new(address: &str, times: usize) -> Result<Self, Failure> {
        let base = format!("{address}/large/v1");
        let folder = Folder::new("calls")?;
        let host = Host::new("memory:")?;
        let reply = Bytes::from(samples::answer(10_000));
        let answers = InProcess {
            headers: HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )]),
            body: reply.clone(),
        };
        let inner = Host::builder(nbhd_core::store::open("memory:")?)
            .with_socket(Arc::new(answers))
            .build();
        let prompt = samples::prose(10_000);
        Ok(Self {
            times,
            url: format!("{base}/chat/completions"),
            client: client()?,
            body: serde_json::to_vec(&Ask::new(&prompt, false))?.into(),
            prompt,
            reply,
            chat: chat(10_000),
            memory: router(&host, &base)?,
            sqlite: router(&Host::new(&folder.store())?, &base)?,
            in_process: router(&inner, &base)?,
            stack: stack(&host, Layers::default().without_retry()),
            host,
            _folder: folder,
        })
    }

    pub(crate) async fn measure(&self, figures: &mut Figures) -> Result<(), Failure> {
        let mut arms: [Times; 7] = Default::default();
        // The first call of a round finds everything cold, whoever it is.
        for warm in 0..self.times + 10 {
            let times = [
                timed(self.raw()).await?,
                timed(ask(&self.memory, &self.chat)).await?,
                timed(ask(&self.sqlite, &self.chat)).await?,
                timed(self.bytes()).await?,
                timed(self.layered()).await?,
                timed(async { self.json() }).await?,
                timed(ask(&self.in_process, &self.chat)).await?,
            ];
            if warm >= 10 {
                for (arm, time) in arms.iter_mut().zip(times) {
                    arm.add(time);
                }
            }
        }
        let names = [
            "call.raw",
            "call.memory",
            "call.sqlite",
            "call.bytes",
            "call.layers",
            "call.json",
            "call.in_process",
        ];
        for (name, arm) in names.into_iter().zip(&mut arms) {
            figures.insert(name, arm.median());
        }
        figures.insert("call.in_process.p99", arms[6].quantile(0.99));
        figures.insert("call.json.p99", arms[5].quantile(0.99));
        Ok(())
    }

    /// Sends and parses the same by hand.
    async fn raw(&self) -> Result<(), Failure> {
        let body = serde_json::to_vec(&Ask::new(&self.prompt, false))?;
        let reply = self.post(body.into()).await?;
        let reply: Reply = serde_json::from_slice(&reply)?;
        std::hint::black_box(reply);
        Ok(())
    }

    /// The JSON of a call, both ways, and nothing else.
    fn json(&self) -> Result<(), Failure> {
        std::hint::black_box(serde_json::to_vec(&Ask::new(&self.prompt, false))?);
        let reply: Reply = serde_json::from_slice(&self.reply)?;
        std::hint::black_box(reply);
        Ok(())
    }

    /// Sends bytes that are there already and reads the reply's.
    async fn bytes(&self) -> Result<(), Failure> {
        std::hint::black_box(self.post(self.body.clone()).await?);
        Ok(())
    }

    async fn post(&self, body: Bytes) -> Result<Bytes, Failure> {
        let reply = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .bearer_auth("bench-key")
            .body(body)
            .send()
            .await?
            .error_for_status()?;
        Ok(reply.bytes().await?)
    }

    /// The same bytes through our layers, with an operation and its receipt.
    async fn layered(&self) -> Result<(), Failure> {
        let operation = Operation::begin(&self.host, "bench.layers");
        let request = Request::new(Method::POST, Url::parse(&self.url)?, "bench")
            .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .with_header(
                header::AUTHORIZATION,
                HeaderValue::from_static("Bearer bench-key"),
            )
            .with_body(HeaderValue::from_static("application/json"), self.body.clone());
        let work = async { self.stack.send(&operation, request).await?.bytes().await };
        std::hint::black_box(operation.clone().run(work).await?);
        Ok(())
    }
}

async fn ask(router: &Router, chat: &Chat) -> Result<(), Failure> {
    std::hint::black_box(router.chat(chat.clone()).await?);
    Ok(())
}

async fn timed(work: impl Future<Output = Result<(), Failure>>) -> Result<std::time::Duration, Failure> {
    let began = Instant::now();
    work.await?;
    Ok(began.elapsed())
}
