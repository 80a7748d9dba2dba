//! The door: one OAuth client, as many accounts as the program has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nbhd_core::transport::{Layers, Transport, stack};
use nbhd_core::{Host, Result, Secret, generation};

use crate::account::Account;
use crate::broker::Keeper;
use crate::credentials::{OAuthClient, TokenEndpoint, TokenErrors};
use crate::endpoints::{Endpoints, Places};
use crate::service::Service;

/// How many accounts are kept at hand. Beyond it those that nobody uses are forgotten; their tokens stand in the store.
const AT_HAND: usize = 4_096;

/// Google, as one OAuth client sees it. Cheap to clone; does nothing until a call is made.
#[derive(Clone)]
pub struct Google(Arc<Inner>);

struct Inner {
    host: Host,
    client: OAuthClient,
    places: Places,
    token_transport: Arc<dyn Transport>,
    /// See [`Google::with_grant`].
    grant: Option<Secret>,
    accounts: Mutex<Accounts>,
}

#[derive(Default)]
struct Accounts {
    /// The process that they belong to: after a fork none of them is used.
    generation: u32,
    services: HashMap<String, Arc<Service>>,
}

impl Google {
    /// Google, reached with this OAuth client.
    #[expect(clippy::expect_used, reason = "the default endpoints are constants")]
    pub fn new(host: &Host, client: OAuthClient) -> Self {
        let places = Places::check(&Endpoints::default()).expect("the default endpoints are https URLs");
        Self::at(host.clone(), client, places, None)
    }

    /// The same client with other endpoints, such as those of a stand-in. They must be https or on loopback, else this is
    /// `invalid_config`. An account that was connected with other endpoints is refused here: its credential goes nowhere
    /// else than where it was sealed for.
    pub fn with_endpoints(self, endpoints: Endpoints) -> Result<Self> {
        let places = Places::check(&endpoints)?;
        let grant = self.0.grant.clone();
        Ok(Self::at(
            self.0.host.clone(),
            self.0.client.clone(),
            places,
            grant,
        ))
    }

    /// Every account that nobody connected is connected with this refresh token at its first call: how a stand-in's
    /// client spares a test the step.
    #[cfg(feature = "testkit")]
    pub(crate) fn with_grant(self, refresh_token: Secret) -> Self {
        let Inner {
            host, client, places, ..
        } = &*self.0;
        Self::at(host.clone(), client.clone(), places.clone(), Some(refresh_token))
    }

    /// An account by the name that the program gives it, such as `tenant-42`.
    pub fn account(&self, name: impl Into<String>) -> Account {
        let name = name.into();
        let mut accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.generation != generation::current() {
            accounts.generation = generation::current();
            accounts.services.clear();
        }
        if let Some(service) = accounts.services.get(&name) {
            return Account::new(service.clone());
        }
        if accounts.services.len() >= AT_HAND {
            accounts
                .services
                .retain(|_, service| Arc::strong_count(service) > 1);
        }
        let service = Arc::new(self.service(name.clone()));
        accounts.services.insert(name, service.clone());
        Account::new(service)
    }

    fn at(host: Host, client: OAuthClient, places: Places, grant: Option<Secret>) -> Self {
        let token_transport = stack(&host, Layers::default().with_classify(Arc::new(TokenErrors)));
        Self(Arc::new(Inner {
            host,
            client,
            places,
            token_transport,
            grant,
            accounts: Mutex::default(),
        }))
    }

    fn service(&self, name: String) -> Service {
        let Inner {
            host,
            client,
            places,
            token_transport,
            ..
        } = &*self.0;
        let endpoint = TokenEndpoint::new(client.clone(), places.token.clone(), token_transport.clone());
        let keeper = Keeper::new(
            host.clone(),
            name,
            client.id().to_owned(),
            places.clone(),
            endpoint,
            self.0.grant.clone(),
        );
        Service::new(host.clone(), keeper, places.clone())
    }
}

impl std::fmt::Debug for Google {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Google")
            .field("client", &self.0.client.id())
            .finish_non_exhaustive()
    }
}
