//! The calls.

use std::sync::Arc;

use nbhd_core::{Operation, Page, Result};

use super::convert;
use super::list::ListMessages;
use super::message::{Message, MessageCard};
use super::method::{ATTACHMENT, GET_FULL, GET_METADATA, LIST, SEARCH};
use super::{cards, request, wire};
use crate::service::Service;

/// Text parts of one message that are fetched by themselves. Real messages have one or two.
const TEXT_PARTS: usize = 4;

/// The mail of an account: a handle that costs nothing.
#[derive(Debug, Clone)]
pub struct Gmail(Arc<Service>);

impl Gmail {
    pub(crate) fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// Lists messages as cards, newest first. A message that is deleted while it is being listed is left out; everything
    /// else arrives, or the call fails.
    ///
    /// Errors: `insufficient_scope` (with the parameters of a consent page in its details), `rate_limited`,
    /// `reauthorization_required`, `connection_inactive`, `not_connected`, `invalid_input`.
    pub async fn list_messages(&self, list: ListMessages) -> Result<Page<MessageCard>> {
        let operation = self.0.begin("gmail.list_messages");
        let work = self.list(&operation, &list);
        let ((cards, next), receipt) = operation.clone().run(work).await?;
        Ok(Page::new(cards, receipt).with_next_page_token(next))
    }

    /// Reads one message with its body.
    ///
    /// Errors: those of [`list_messages`](Self::list_messages), and `not_found`.
    pub async fn get_message(&self, id: impl AsRef<str>) -> Result<Message> {
        let operation = self.0.begin("gmail.get_message");
        let work = self.get(&operation, id.as_ref());
        let (message, receipt) = operation.clone().run(work).await?;
        Ok(message(receipt))
    }

    async fn list(
        &self,
        operation: &Operation,
        list: &ListMessages,
    ) -> Result<(Vec<MessageCard>, Option<String>)> {
        list.check()?;
        self.0
            .admit(operation, if list.query().is_some() { &SEARCH } else { &LIST })
            .await?;
        self.0.admit(operation, &GET_METADATA).await?;
        let limit = list.limit as usize;
        let mut ids: Vec<String> = Vec::new();
        let mut token = list.page_token.clone();
        // A page may be short and still have a next one.
        loop {
            let wanted = u32::try_from(limit - ids.len()).unwrap_or(u32::MAX);
            let request = request::list(&self.0.places.gmail, list, wanted, token.as_deref())?;
            let reply = self.0.gmail.send(operation, request).await?;
            let page: wire::MessageList = convert::parse(&reply.bytes().await?)?;
            ids.extend(page.messages.into_iter().map(|message| message.id));
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() || ids.len() >= limit {
                break;
            }
        }
        ids.truncate(limit);
        let cards = cards::fetch(&self.0, operation, &ids).await?;
        Ok((cards, token))
    }

    async fn get(
        &self,
        operation: &Operation,
        id: &str,
    ) -> Result<impl FnOnce(nbhd_core::Receipt) -> Message + use<>> {
        let request = request::get_full(&self.0.places.gmail, id)?;
        self.0.admit(operation, &GET_FULL).await?;
        let json = self.0.gmail.send(operation, request).await?.bytes().await?;
        let mut wire: wire::Message<'_> = convert::parse(&json)?;
        for part in convert::remote_text(&wire).into_iter().take(TEXT_PARTS) {
            self.0.admit(operation, &ATTACHMENT).await?;
            let request = request::attachment(&self.0.places.gmail, id, &part.attachment)?;
            let reply = self.0.gmail.send(operation, request).await?.bytes().await?;
            let body: wire::AttachmentBody = convert::parse(&reply)?;
            convert::fill(&mut wire, &part, body.data);
        }
        Ok(convert::message(&wire))
    }
}
