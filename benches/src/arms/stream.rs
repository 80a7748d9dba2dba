//! A streamed answer of 1,000 chunks: its bytes alone, a bare splitter with serde, and the router.

use std::time::Instant;

use futures::StreamExt;
use nbhd_core::Host;
use nbhd_llm::Router;
use nbhd_llm::chat::StreamEvent;
use serde::Deserialize;

use super::calls::{Ask, chat, client, router};
use crate::timing::{Figures, Times};
use crate::{Failure, samples};

#[derive(Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
}

pub(crate) struct Stream {
    times: usize,
    url: String,
    client: reqwest::Client,
    body: Vec<u8>,
    router: Router,
}

impl Stream {
    pub(crate) fn new(address: &str, times: usize) -> Result<Self, Failure> {
        let base = format!("{address}/v1");
        Ok(Self {
            times,
            url: format!("{base}/chat/completions"),
            client: client()?,
            body: serde_json::to_vec(&Ask::new("Tell me everything.", true))?,
            router: router(&Host::new("memory:")?, &base)?,
        })
    }

    pub(crate) async fn measure(&self, figures: &mut Figures) -> Result<(), Failure> {
        let mut arms: [Times; 3] = Default::default();
        for warm in 0..=self.times {
            for (place, arm) in arms.iter_mut().enumerate() {
                let began = Instant::now();
                let words = match place {
                    0 => self.bytes().await?,
                    1 => self.split().await?,
                    _ => self.routed().await?,
                };
                if words < samples::CHUNKS {
                    return Err("a streamed answer came short".into());
                }
                if warm > 0 {
                    arm.add(began.elapsed() / samples::CHUNKS as u32);
                }
            }
        }
        let names = ["stream.bytes", "stream.split", "stream.rust"];
        for (name, arm) in names.into_iter().zip(&mut arms) {
            figures.insert(name, arm.median());
        }
        Ok(())
    }

    async fn open(&self) -> Result<reqwest::Response, Failure> {
        let asked = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .bearer_auth("bench-key")
            .body(self.body.clone());
        Ok(asked.send().await?.error_for_status()?)
    }

    async fn bytes(&self) -> Result<usize, Failure> {
        let mut body = self.open().await?.bytes_stream();
        let mut length = 0;
        while let Some(piece) = body.next().await {
            length += piece?.len();
        }
        Ok(length)
    }

    async fn split(&self) -> Result<usize, Failure> {
        let mut body = self.open().await?.bytes_stream();
        let (mut held, mut words) = (Vec::new(), 0);
        while let Some(piece) = body.next().await {
            held.extend_from_slice(&piece?);
            let mut start = 0;
            while let Some(end) = held[start..].iter().position(|byte| *byte == b'\n') {
                let line = &held[start..start + end];
                start += end + 1;
                if let Some(data) = line.strip_prefix(b"data: ")
                    && data != b"[DONE]"
                {
                    let chunk: Chunk = serde_json::from_slice(data)?;
                    let text = chunk.choices.into_iter().find_map(|choice| choice.delta.content);
                    words += usize::from(text.is_some_and(|text| !text.is_empty()));
                }
            }
            held.drain(..start);
        }
        Ok(words)
    }

    async fn routed(&self) -> Result<usize, Failure> {
        let mut stream = self.router.stream(chat(20)).await?;
        let mut words = 0;
        while let Some(event) = stream.next().await {
            if let StreamEvent::Text { text } = event? {
                words += usize::from(!text.is_empty());
            }
        }
        Ok(words)
    }
}
