//! The calls.

use std::sync::Arc;

use nbhd_core::{Operation, Page, Receipt, Result};

use super::event::Event;
use super::freebusy::{FreeBusy, FreeBusyAnswer};
use super::list::ListEvents;
use super::method::{EVENTS, FREE_BUSY};
use super::{convert, request, wire};
use crate::service::Service;

/// The calendars of an account: a handle that costs nothing.
#[derive(Debug, Clone)]
pub struct Calendar(Arc<Service>);

impl Calendar {
    pub(crate) fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// Lists events in the order of their beginning.
    ///
    /// Errors: `invalid_input` (a window without its time zone, an unknown zone), `insufficient_scope` (with the parameters of a
    /// consent page in its details), `not_found` (no such calendar, or not for this account), `rate_limited`,
    /// `reauthorization_required`, `connection_inactive`, `not_connected`.
    pub async fn list_events(&self, list: ListEvents) -> Result<Page<Event>> {
        let operation = self.0.begin("calendar.list_events");
        let work = self.list(&operation, &list);
        let ((events, next), receipt) = operation.clone().run(work).await?;
        Ok(Page::new(events, receipt).with_next_page_token(next))
    }

    /// Asks when calendars are busy. A calendar that could not be read is in the answer with its problem, and is never taken
    /// for a free one: see [`FreeBusyAnswer::is_free`].
    ///
    /// Errors: those of [`list_events`](Self::list_events).
    pub async fn free_busy(&self, ask: FreeBusy) -> Result<FreeBusyAnswer> {
        let operation = self.0.begin("calendar.free_busy");
        let work = self.ask(&operation, ask);
        let (answer, receipt) = operation.clone().run(work).await?;
        Ok(answer(receipt))
    }

    async fn list(&self, operation: &Operation, list: &ListEvents) -> Result<(Vec<Event>, Option<String>)> {
        let bounds = list.bounds(self.0.host.clock().now())?;
        self.0.admit(operation, &EVENTS).await?;
        let limit = list.limit as usize;
        let mut events: Vec<Event> = Vec::new();
        let mut token = list.page_token.clone();
        // A page may be short or empty and still have a next one.
        loop {
            let wanted = u32::try_from(limit - events.len()).unwrap_or(u32::MAX);
            let request = request::events(&self.0.places.calendar, list, bounds, wanted, token.as_deref())?;
            let reply = self.0.calendar.send(operation, request).await?;
            let page: wire::Events = convert::parse(&reply.bytes().await?)?;
            events.extend(page.items.into_iter().map(convert::event));
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() || events.len() >= limit {
                break;
            }
        }
        events.truncate(limit);
        Ok((events, token))
    }

    async fn ask(
        &self,
        operation: &Operation,
        ask: FreeBusy,
    ) -> Result<impl FnOnce(Receipt) -> FreeBusyAnswer + use<>> {
        ask.check()?;
        self.0.admit(operation, &FREE_BUSY).await?;
        let request = request::free_busy(&self.0.places.calendar, &ask)?;
        let reply = self.0.calendar.send(operation, request).await?;
        let wire: wire::FreeBusyResponse = convert::parse(&reply.bytes().await?)?;
        let calendars = convert::calendars(&ask, &wire);
        let (time_min, time_max) = (ask.time_min, ask.time_max);
        Ok(move |receipt| FreeBusyAnswer {
            time_min,
            time_max,
            calendars,
            receipt,
        })
    }
}
