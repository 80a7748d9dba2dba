//! The stand-in as tests and the demo hold it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use nbhd_core::clock::{Clock, SystemClock};
use nbhd_core::testkit::{Fault, Server};
use nbhd_core::{Code, Error, Host, Result, Secret};
use url::Url;

use super::SeenCall;
use super::answer::Answer;
use super::door::Door;
use super::oauth::OAuth;
use super::route;
use super::state::{Mail, Observer, State, lock};
use crate::testkit::{Calendar, Mailbox};
use crate::{Endpoints, Google, OAuthClient};

/// What reading assistants ask for: Gmail and Calendar, read-only.
const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/calendar.readonly",
];

/// What the stand-in will know, before it runs.
#[derive(Clone)]
pub struct GoogleSetup {
    mailbox: Option<Mailbox>,
    address: Option<String>,
    calendar: Calendar,
    more: Vec<(String, Calendar)>,
    client: (String, String),
    grants: Vec<(String, Vec<String>)>,
    lifetime: Duration,
    prefix: String,
    clock: Arc<dyn Clock>,
    port: u16,
    observer: Option<Observer>,
}

impl Default for GoogleSetup {
    fn default() -> Self {
        Self::new()
    }
}

impl GoogleSetup {
    /// An empty mailbox and an empty calendar; one OAuth client, one refresh token with the read-only scopes; access
    /// tokens live an hour; a free port.
    pub fn new() -> Self {
        Self {
            mailbox: None,
            address: None,
            calendar: Calendar::empty(),
            more: Vec::new(),
            client: (
                "stand-in.apps.googleusercontent.com".to_owned(),
                "stand-in-secret".to_owned(),
            ),
            grants: Vec::new(),
            lifetime: Duration::from_secs(3600),
            prefix: "ya29.stand-in-".to_owned(),
            clock: Arc::new(SystemClock::default()),
            port: 0,
            observer: None,
        }
    }

    /// The mail. Its owner is the owner of the account.
    pub fn with_mailbox(mut self, mailbox: Mailbox) -> Self {
        self.mailbox = Some(mailbox);
        self
    }

    /// The owner's address, where the mailbox's own guess is not good enough.
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// The primary calendar.
    pub fn with_calendar(mut self, calendar: Calendar) -> Self {
        self.calendar = calendar;
        self
    }

    /// A further calendar and its id, such as `team@example.com`.
    pub fn with_further_calendar(mut self, id: impl Into<String>, calendar: Calendar) -> Self {
        self.more.push((id.into(), calendar));
        self
    }

    /// The OAuth client that is known.
    pub fn with_client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.client = (id.into(), secret.into());
        self
    }

    /// A refresh token that was granted these scopes. The first one is the stand-in's own, see
    /// [`GoogleStandIn::refresh_token`].
    pub fn with_refresh_token<S: Into<String>>(
        mut self,
        token: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let scopes = scopes.into_iter().map(Into::into).collect();
        self.grants.push((token.into(), scopes));
        self
    }

    /// How long access tokens live, in whole seconds.
    pub fn with_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// What access tokens begin with, so that a proof can search for them.
    pub fn with_token_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The clock that tokens expire by and that `newer_than:` means.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The port of 127.0.0.1; 0 is a free one.
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Who is told of every call after it was answered and before the answer leaves.
    pub fn with_observer(mut self, observer: impl Fn(&SeenCall) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Starts it. `invalid_config` when the port is taken.
    pub fn start(self) -> Result<GoogleStandIn> {
        GoogleStandIn::start(self)
    }
}

/// A Google that runs in this process, on loopback, until it is dropped. It speaks the real protocol: tokens, Gmail and
/// Calendar as the discovery documents describe them, reading only.
pub struct GoogleStandIn {
    server: Server,
    pub(super) door: Arc<Door>,
    client: (String, String),
    refresh_token: String,
}

impl GoogleStandIn {
    fn start(setup: GoogleSetup) -> Result<Self> {
        let GoogleSetup {
            client, mut grants, ..
        } = setup;
        if grants.is_empty() {
            grants.push((
                "1//stand-in-refresh-token".to_owned(),
                SCOPES.map(str::to_owned).to_vec(),
            ));
        }
        let mut oauth = OAuth::new(setup.lifetime, setup.prefix);
        oauth.clients.insert(client.0.clone(), client.1.clone());
        for (token, scopes) in &grants {
            oauth.grant(token, &client.0, scopes.clone());
        }
        let (messages, guessed) = match setup.mailbox {
            Some(mailbox) => (mailbox.messages, mailbox.address),
            None => (Vec::new(), "owner@example.com".to_owned()),
        };
        let address = setup.address.unwrap_or(guessed);
        let mut calendars = vec![(address.clone(), setup.calendar)];
        calendars.extend(setup.more);
        let state = State {
            address,
            mail: Mutex::new(Mail::new(messages)),
            calendars,
            oauth: Mutex::new(oauth),
            clock: setup.clock,
            seen: Mutex::default(),
            observer: setup.observer,
        };
        let door = Door::new(Arc::new(state));
        Ok(Self {
            server: Server::start_on(setup.port, door.clone())?,
            door,
            client,
            refresh_token: grants.swap_remove(0).0,
        })
    }

    /// Its base URL: `http://127.0.0.1:<port>/`, in the place of every host of Google.
    pub fn url(&self) -> Url {
        self.server.url()
    }

    /// Its addresses, for a client that is made by hand.
    pub fn endpoints(&self) -> Endpoints {
        Endpoints::at(self.url().as_str())
    }

    /// A client of it: every account is connected with the stand-in's refresh token at its first call. The host's vault
    /// needs a key, as always.
    pub fn client(&self, host: &Host) -> Result<Google> {
        let client = OAuthClient::new(self.client_id(), Secret::new(self.client_secret()));
        let google = Google::new(host, client).with_grant(Secret::new(self.refresh_token()));
        google.with_endpoints(self.endpoints())
    }

    /// The id of its OAuth client.
    pub fn client_id(&self) -> &str {
        &self.client.0
    }

    /// The secret of its OAuth client. A stand-in's, so no secret.
    pub fn client_secret(&self) -> &str {
        &self.client.1
    }

    /// The refresh token of its user. A stand-in's, so no secret.
    pub fn refresh_token(&self) -> &str {
        &self.refresh_token
    }

    /// The address of its user.
    pub fn address(&self) -> &str {
        &self.door.state.address
    }

    /// Makes the next `times` calls of `label` go wrong, such as `gmail.messages.get` or `oauth.token`; parts of a batch
    /// count as calls. A refusal without a body gets the one that Google gives. `invalid_input` for a label that it does
    /// not know.
    pub fn fail(&self, label: &str, fault: Fault, times: usize) -> Result<()> {
        if label != "*" && !route::labels().any(|known| known == label) {
            let mut known: Vec<&str> = route::labels().collect();
            known.dedup();
            return Err(Error::new(
                Code::InvalidInput,
                format!(
                    "the stand-in knows no call {label}; it knows {}",
                    known.join(", ")
                ),
            ));
        }
        let fault = match fault {
            Fault::Status {
                status,
                retry_after,
                body: None,
            } => Fault::Status {
                status,
                retry_after,
                body: Answer::refusal_body(status),
            },
            other => other,
        };
        self.door.faults.fail(label, fault, times);
        Ok(())
    }

    /// How often a call was made, refused ones and parts of batches included; `*` counts all.
    pub fn calls(&self, label: &str) -> usize {
        self.door.faults.calls(label)
    }

    /// Every call so far, parts of a batch before the batch.
    pub fn log(&self) -> Vec<SeenCall> {
        lock(&self.door.state.seen).clone()
    }

    /// Ends every access token at once, as an hour would.
    pub fn expire_access_tokens(&self) {
        lock(&self.door.state.oauth).expire_access_tokens();
    }

    /// Ends the grant of its own refresh token, as the user can at any time.
    pub fn revoke_grant(&self) {
        lock(&self.door.state.oauth).end(&self.refresh_token);
    }

    /// A message arrives. It is the newest one, and the history tells of it. `invalid_input` when it is no message.
    pub fn deliver(&self, raw: impl Into<Bytes>) -> Result<String> {
        let raw: Bytes = raw.into();
        let arrived = Mailbox::from_messages([raw.to_vec()]);
        let Some(mut message) = arrived.messages.into_iter().next() else {
            return Err(Error::new(Code::InvalidInput, "the bytes hold no mail header"));
        };
        let mut mail = lock(&self.door.state.mail);
        message.internal_date_ms = self.door.state.clock.now().timestamp_millis();
        let twin = |id: &str| mail.messages.iter().any(|message| message.id == id);
        while twin(&message.id) {
            message.id = crate::testkit::mailbox::content_id(message.id.as_bytes());
        }
        message.thread_id = message
            .answered(&mail.messages)
            .unwrap_or_else(|| message.id.clone());
        mail.newest += 1;
        let (id, newest) = (message.id.clone(), mail.newest);
        mail.history.insert(id.clone(), newest);
        mail.added.push((newest, id.clone()));
        mail.messages.insert(0, message);
        Ok(id)
    }
}

impl fmt::Debug for GoogleStandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleStandIn")
            .field("server", &self.server)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GoogleSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleSetup")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
