//! What is asked of Gmail, as requests: pure functions of what the caller wants.

use bytes::Bytes;
use nbhd_core::http::{HeaderValue, Method, Repeat, Request, Url};
use nbhd_core::{Code, Error, Result};

use super::batch::{self, Part};
use super::list::ListMessages;
use super::method::{ATTACHMENT, GET_FULL, GET_METADATA, LIST};

/// What a card needs of a message's header.
const CARD_HEADERS: [&str; 10] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "List-Unsubscribe",
    "Reply-To",
];

pub(super) fn list(root: &Url, list: &ListMessages, limit: u32, page_token: Option<&str>) -> Result<Request> {
    let mut request = Request::new(Method::GET, join(root, "gmail/v1/users/me/messages")?, LIST.label)
        .with_units(LIST.units)
        .with_query("maxResults", &limit.to_string());
    if let Some(query) = list.query() {
        request = request.with_query("q", query);
    }
    for label in &list.labels {
        request = request.with_query("labelIds", label);
    }
    if let Some(token) = page_token {
        request = request.with_query("pageToken", token);
    }
    if list.include_spam_trash {
        request = request.with_query("includeSpamTrash", "true");
    }
    Ok(request)
}

pub(super) fn get_full(root: &Url, id: &str) -> Result<Request> {
    Ok(Request::new(Method::GET, join(root, &path(id)?)?, GET_FULL.label)
        .with_units(GET_FULL.units)
        .with_query("format", "full"))
}

pub(super) fn get_metadata(root: &Url, id: &str) -> Result<Request> {
    let mut url = join(root, &path(id)?)?;
    metadata(&mut url);
    Ok(Request::new(Method::GET, url, GET_METADATA.label).with_units(GET_METADATA.units))
}

pub(super) fn attachment(root: &Url, message: &str, attachment: &str) -> Result<Request> {
    let path = format!("{}/attachments/{}", path(message)?, checked(attachment)?);
    Ok(Request::new(Method::GET, join(root, &path)?, ATTACHMENT.label).with_units(ATTACHMENT.units))
}

/// One batch of cards. It is a `POST`, but all it holds are reads.
pub(super) fn batch(root: &Url, ids: &[&str], boundary: &str) -> Result<Request> {
    // Inside a batch stand paths of Google's own root, wherever the batch itself is sent.
    let own = Url::parse("https://gmail.googleapis.com/")
        .map_err(|_| Error::new(Code::Internal, "the root of Gmail is no URL"))?;
    let parts = ids
        .iter()
        .enumerate()
        .map(|(number, id)| {
            let mut url = join(&own, &path(id)?)?;
            metadata(&mut url);
            let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
            Ok(Part { number, target })
        })
        .collect::<Result<Vec<_>>>()?;
    let body: Bytes = batch::encode(&parts, boundary).into();
    let kind = HeaderValue::from_str(&format!("multipart/mixed; boundary={boundary}"))
        .map_err(|_| Error::new(Code::Internal, "a boundary that is no header value"))?;
    Ok(
        Request::new(Method::POST, join(root, "batch/gmail/v1")?, "gmail.batch")
            .with_body(kind, body)
            .with_repeat(Repeat::Safe)
            .with_units(GET_METADATA.units * u32::try_from(ids.len()).unwrap_or(u32::MAX)),
    )
}

fn metadata(url: &mut Url) {
    let mut query = url.query_pairs_mut();
    query.append_pair("format", "metadata");
    for header in CARD_HEADERS {
        query.append_pair("metadataHeaders", header);
    }
}

fn path(id: &str) -> Result<String> {
    Ok(format!("gmail/v1/users/me/messages/{}", checked(id)?))
}

/// Gmail's ids are letters, digits, `-` and `_`. Anything else would leave its place in the path or in the batch.
fn checked(id: &str) -> Result<&str> {
    let clean = !id.is_empty()
        && id.len() <= 2_048
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if clean {
        return Ok(id);
    }
    Err(Error::new(
        Code::InvalidInput,
        "this is not the id of a Gmail message",
    ))
}

fn join(root: &Url, path: &str) -> Result<Url> {
    root.join(path)
        .map_err(|_| Error::new(Code::InvalidConfig, "the Gmail endpoint takes no path"))
}

/// One of each, for the comparison with the discovery document; of the batch, the request inside.
#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static crate::credentials::Method, Request)> {
    let root = Url::parse("https://gmail.googleapis.com/").unwrap();
    let wanted = ListMessages::new()
        .with_query("is:unread")
        .with_labels(["INBOX", "UNREAD"])
        .with_spam_and_trash();
    vec![
        (&LIST, list(&root, &wanted, 20, Some("token")).unwrap()),
        (&GET_FULL, get_full(&root, "18c0").unwrap()),
        (&GET_METADATA, get_metadata(&root, "18c0").unwrap()),
        (&ATTACHMENT, attachment(&root, "18c0", "ANGj-_x").unwrap()),
    ]
}

#[cfg(test)]
mod tests {
    use nbhd_core::Code;
    use nbhd_core::http::{Repeat, Url};

    use super::{batch, get_full, get_metadata};

    #[test]
    fn an_id_stays_in_its_place() {
        let root = Url::parse("http://127.0.0.1:1/").unwrap();
        for id in ["", "../profile", "a/b", "a?b", "a b", "a\r\nGET /", "ä"] {
            assert_eq!(
                get_full(&root, id).unwrap_err().code(),
                Code::InvalidInput,
                "{id:?}"
            );
            assert_eq!(
                batch(&root, &["1", id], "b").unwrap_err().code(),
                Code::InvalidInput,
                "{id:?}"
            );
        }
    }

    #[test]
    fn a_batch_is_a_read_and_pays_for_each_part() {
        let root = Url::parse("http://127.0.0.1:1/").unwrap();
        let request = batch(&root, &["1", "2", "3"], "b").unwrap();
        assert_eq!((request.repeat, request.units), (Repeat::Safe, 60));
        assert_eq!(request.url.path(), "/batch/gmail/v1");
        let inside = get_metadata(&Url::parse("https://gmail.googleapis.com/").unwrap(), "2").unwrap();
        let text = String::from_utf8(request.body.bytes().to_vec()).unwrap();
        let line = format!(
            "GET {}?{} HTTP/1.1\r\n",
            inside.url.path(),
            inside.url.query().unwrap()
        );
        assert!(text.contains(&line), "{text}");
    }
}
