//! Holds the places of the inbox and the outbox until the host has them; goes then.

use nbhd_core::inbox::{Accepted, NewEvent};
use nbhd_core::outbox::{Intent, NewIntent, SendPart};
use nbhd_core::{Code, Error, Host, Result};

pub(crate) trait Pending {
    fn inbox(&self) -> Place {
        Place
    }
    fn outbox(&self) -> Place {
        Place
    }
}

impl Pending for Host {}

pub(crate) struct Place;

impl Place {
    #[expect(clippy::unused_async, reason = "it has the shape of what comes")]
    pub(crate) async fn accept(&self, _event: NewEvent) -> Result<Accepted> {
        Err(Error::new(Code::StoreUnavailable, "the host has no inbox yet"))
    }

    #[expect(clippy::unused_async, reason = "it has the shape of what comes")]
    pub(crate) async fn dispatch(&self, _intent: NewIntent, _sender: &dyn SendPart) -> Result<Intent> {
        Err(Error::new(Code::StoreUnavailable, "the host has no outbox yet"))
    }
}
