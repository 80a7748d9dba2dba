//! `Google`, its accounts, Gmail and Calendar.

use napi::bindgen_prelude::JavaScriptClassExt;
use napi::bindgen_prelude::{ClassInstance, Object, PromiseRaw, Result};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use nbhd_core::{Code, Error};
use nbhd_google::calendar::{FreeBusy, ListEvents};
use nbhd_google::gmail::ListMessages;
use nbhd_google::{Connect, Endpoints, OAuthClient};
use serde_json::Value;

use crate::cancel::{call_options, promise};
use crate::convert::{Data, ToNode, input};
use crate::core::{Host, SecretArgument, secret, source};
use crate::error::raise;

/// Google for one OAuth client.
///
/// `new Google(host, { clientId, clientSecret: Secret.env("GOOGLE_CLIENT_SECRET") })`. `endpoints` are for stand-ins.
#[napi]
pub struct Google {
    pub(crate) inner: nbhd_google::Google,
}

#[napi]
impl Google {
    #[napi(
        constructor,
        ts_args_type = "host: Host, options: { clientId: string; clientSecret: Secret | string; endpoints?: Endpoints }"
    )]
    pub fn new(env: &Env, host: ClassInstance<'_, Host>, options: Object<'_>) -> Result<Self> {
        let missing = |name: &str| {
            raise(
                env,
                &Error::new(Code::InvalidInput, format!("Google needs `{name}`")),
            )
        };
        let id = options
            .get::<String>("clientId")?
            .ok_or_else(|| missing("clientId"))?;
        let client_secret = secret(&options, "clientSecret")?.ok_or_else(|| missing("clientSecret"))?;
        let mut inner = nbhd_google::Google::new(&host.inner, OAuthClient::new(id, client_secret));
        if let Some(endpoints) = options.get::<Value>("endpoints")? {
            inner = input::<Endpoints>("endpoints", endpoints)
                .and_then(|endpoints| inner.with_endpoints(endpoints))
                .map_err(|error| raise(env, &error))?;
        }
        Ok(Self { inner })
    }

    /// A handle on the account that the program calls `name`. It costs nothing and does nothing.
    #[napi]
    pub fn account(&self, name: String) -> Account {
        Account {
            inner: self.inner.account(name),
        }
    }
}

/// One account: its connection, Gmail and Calendar.
#[napi]
pub struct Account {
    inner: nbhd_google::Account,
}

#[napi]
impl Account {
    /// The name that the program gave it.
    #[napi(getter)]
    pub fn name(&self) -> String {
        self.inner.name().to_owned()
    }

    /// Connects with a refresh token that the program holds already; it is sealed at once and never comes back out.
    #[napi(
        ts_args_type = "refreshToken: Secret | string, options?: { scopes?: Array<string> } & CallOptions",
        ts_return_type = "Promise<Connection>"
    )]
    pub fn connect<'env>(
        &self,
        env: &'env Env,
        refresh_token: SecretArgument<'_>,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let mut connect = Connect::new(source(refresh_token));
        if let Some(options) = &options
            && let Some(scopes) = options.get::<Vec<String>>("scopes")?
        {
            connect = connect.with_scopes(scopes);
        }
        let account = self.inner.clone();
        promise(env, options.as_ref(), async move {
            account.connect(connect).await.map(Data)
        })
    }

    /// Ends the grant at Google and forgets the tokens here. Where Google cannot be asked this throws and changes nothing.
    #[napi(
        ts_args_type = "options?: CallOptions",
        ts_return_type = "Promise<Connection>"
    )]
    pub fn disconnect<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let account = self.inner.clone();
        promise(env, options.as_ref(), async move {
            account.disconnect().await.map(Data)
        })
    }

    /// The state of the connection. Asks the store only, never Google.
    #[napi(
        ts_args_type = "options?: CallOptions",
        ts_return_type = "Promise<Connection>"
    )]
    pub fn status<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let account = self.inner.clone();
        promise(
            env,
            options.as_ref(),
            async move { account.status().await.map(Data) },
        )
    }

    /// A short-lived access token, for calls that nbhd does not make.
    #[napi(
        ts_args_type = "options?: CallOptions",
        ts_return_type = "Promise<AccessToken>"
    )]
    pub fn access_token<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let account = self.inner.clone();
        promise(env, options.as_ref(), async move {
            account.access_token().await.map(|inner| AccessToken { inner })
        })
    }

    /// Its mail.
    #[napi(getter)]
    pub fn gmail(&self) -> Gmail {
        Gmail {
            inner: self.inner.gmail(),
        }
    }

    /// Its calendars.
    #[napi(getter)]
    pub fn calendar(&self) -> Calendar {
        Calendar {
            inner: self.inner.calendar(),
        }
    }
}

/// A short-lived access token. It shows nothing of itself; `reveal()` gives its text.
#[napi]
pub struct AccessToken {
    inner: nbhd_google::AccessToken,
}

impl ToNode for AccessToken {
    fn to_node<'env>(self, env: &'env Env) -> Result<Unknown<'env>> {
        Ok(self.into_instance(env)?.as_object(env).to_unknown())
    }
}

#[napi]
impl AccessToken {
    /// The token itself, for the one place that puts it on the wire.
    #[napi]
    pub fn reveal(&self) -> String {
        self.inner.token.expose().clone()
    }

    /// When it ends, ISO 8601.
    #[napi(getter)]
    pub fn expires_at(&self) -> String {
        nbhd_core::clock::rfc3339(self.inner.expires_at)
    }

    /// The scopes it has.
    #[napi(getter)]
    pub fn scopes(&self) -> Vec<String> {
        self.inner.scopes.clone()
    }

    /// The receipt of the call that got it.
    #[napi(getter, ts_return_type = "Receipt")]
    pub fn receipt<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        Data(self.inner.receipt.clone()).to_node(env)
    }
}

/// The mail of an account.
#[napi]
pub struct Gmail {
    inner: nbhd_google::gmail::Gmail,
}

#[napi]
impl Gmail {
    /// Cards of messages, newest first.
    #[napi(
        ts_args_type = "options?: ListMessages & CallOptions",
        ts_return_type = "Promise<Page<MessageCard>>"
    )]
    pub fn list_messages<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let list = call_options::<ListMessages>("listMessages", options.as_ref());
        let gmail = self.inner.clone();
        promise(
            env,
            options.as_ref(),
            async move { gmail.list_messages(list?).await },
        )
    }

    /// One message with its decoded body. What it says is untrusted: it comes from outside.
    #[napi(
        ts_args_type = "id: string, options?: CallOptions",
        ts_return_type = "Promise<MailMessage>"
    )]
    pub fn get_message<'env>(
        &self,
        env: &'env Env,
        id: String,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let gmail = self.inner.clone();
        promise(env, options.as_ref(), async move {
            gmail.get_message(id).await.map(Data)
        })
    }
}

/// The calendars of an account.
#[napi]
pub struct Calendar {
    inner: nbhd_google::calendar::Calendar,
}

#[napi]
impl Calendar {
    /// Events in order of their beginning, series expanded.
    #[napi(
        ts_args_type = "options?: ListEvents & CallOptions",
        ts_return_type = "Promise<Page<CalendarEvent>>"
    )]
    pub fn list_events<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let list = call_options::<ListEvents>("listEvents", options.as_ref());
        let calendar = self.inner.clone();
        promise(
            env,
            options.as_ref(),
            async move { calendar.list_events(list?).await },
        )
    }

    /// When calendars are busy. A calendar that could not be read has `problems` and is never free.
    #[napi(
        ts_args_type = "options: FreeBusy & CallOptions",
        ts_return_type = "Promise<FreeBusyAnswer>"
    )]
    pub fn free_busy<'env>(
        &self,
        env: &'env Env,
        options: Option<Object<'_>>,
    ) -> Result<PromiseRaw<'env, Unknown<'env>>> {
        let ask = call_options::<FreeBusy>("freeBusy", options.as_ref());
        let calendar = self.inner.clone();
        promise(env, options.as_ref(), async move {
            calendar.free_busy(ask?).await.map(Data)
        })
    }
}
