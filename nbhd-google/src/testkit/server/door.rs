//! The way in: every call, also each part of a batch, passes the faults, is answered and is noted.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use nbhd_core::testkit::{Call, Faults, Handler, Reply};

use super::state::State;
use super::{batch, route};

/// What the server hands calls to.
pub(super) struct Door {
    pub(super) faults: Faults,
    pub(super) state: Arc<State>,
}

impl Door {
    pub(super) fn new(state: Arc<State>) -> Arc<Self> {
        let inside = Arc::new(Inside {
            state: state.clone(),
            door: OnceLock::new(),
        });
        let door = Arc::new(Self {
            faults: Faults::new(inside.clone()),
            state,
        });
        // Weak: the door owns what is inside, not the other way round.
        let _ = inside.door.set(Arc::downgrade(&door));
        door
    }

    pub(super) async fn answer(&self, call: Call, in_batch: bool) -> Reply {
        let reply = self.faults.handle(call.clone()).await;
        self.state.note(&call, &reply, in_batch);
        reply
    }
}

#[async_trait]
impl Handler for Door {
    async fn handle(&self, call: Call) -> Reply {
        self.answer(call, false).await
    }

    fn label(&self, call: &Call) -> Option<&'static str> {
        label(call)
    }
}

/// What answers, behind the faults.
struct Inside {
    state: Arc<State>,
    door: OnceLock<Weak<Door>>,
}

#[async_trait]
impl Handler for Inside {
    async fn handle(&self, call: Call) -> Reply {
        let batch = matches!(label(&call), Some("gmail.batch" | "calendar.batch"));
        let door = self.door.get().and_then(Weak::upgrade);
        match door.filter(|_| batch) {
            Some(door) => batch::answer(&door, &call).await.into_reply(),
            None => self.state.respond(&call).into_reply(),
        }
    }

    fn label(&self, call: &Call) -> Option<&'static str> {
        label(call)
    }
}

fn label(call: &Call) -> Option<&'static str> {
    route::find(call.method.as_str(), &call.path).map(|route| route.call.label)
}
