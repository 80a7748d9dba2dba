//! A Gmail message of about 45 KB of JSON becomes a card and a body.
//!
//! The floor parses the same JSON into borrowed types and decodes its bodies: nobody who reads mail can do less.

use std::borrow::Cow;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use nbhd_google::mime::{BodyOptions, from_gmail_json};
use serde::Deserialize;

use crate::timing::{Figures, each};
use crate::{Failure, samples};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    payload: Part<'a>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Part<'a> {
    #[serde(borrow)]
    mime_type: Cow<'a, str>,
    #[serde(borrow)]
    headers: Vec<Header<'a>>,
    #[serde(borrow)]
    body: Body<'a>,
    #[serde(borrow)]
    parts: Vec<Part<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed to be compared, and never read")]
struct Header<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body<'a> {
    #[serde(borrow)]
    data: Option<&'a str>,
}

pub(crate) struct Mail {
    batches: usize,
    both: String,
    html: String,
}

impl Mail {
    pub(crate) fn new(batches: usize) -> Self {
        Self {
            batches,
            both: samples::mail(),
            html: samples::html_mail(),
        }
    }

    pub(crate) fn measure(&self, figures: &mut Figures) -> Result<(), Failure> {
        let read = from_gmail_json(self.both.as_bytes(), BodyOptions::default())?;
        let only_html = from_gmail_json(self.html.as_bytes(), BodyOptions::default())?;
        // What is measured is checked first: fast and wrong is no figure.
        if read.body.text.len() < 6_000 || only_html.body.text.len() < 6_000 || read.body.quoted.is_none() {
            return Err("the sample mail was not read as it was written".into());
        }
        let parse = |json: &str, options: BodyOptions| {
            each(self.batches, 5, || {
                let _ = black_box(from_gmail_json(black_box(json.as_bytes()), options));
            })
        };
        let unsplit = BodyOptions {
            split: false,
            ..BodyOptions::default()
        };
        figures.insert("mail.bytes", self.both.len() as f64);
        figures.insert("mail.rust", parse(&self.both, unsplit));
        figures.insert("mail.rust.split", parse(&self.both, BodyOptions::default()));
        figures.insert("mail.rust.html", parse(&self.html, BodyOptions::default()));
        let floor = each(self.batches, 5, || {
            if let Ok(message) = serde_json::from_str::<Message<'_>>(black_box(&self.both)) {
                decode(&message.payload);
            }
        });
        figures.insert("mail.floor", floor);
        Ok(())
    }
}

fn decode(part: &Part<'_>) {
    black_box((&part.mime_type, &part.headers));
    if let Some(data) = part.body.data {
        let _ = black_box(URL_SAFE.decode(data));
    }
    part.parts.iter().for_each(decode);
}
