//! Secure requests: the credential, and what a call allows.

use napi::Env;
use napi::bindgen_prelude::{ClassInstance, Object, Result};
use napi_derive::napi;
use nbhd_core::Error;
use nbhd_core::secure::Access;
use nbhd_core::transport::HostRule;

use crate::core::{SecretArgument, source};
use crate::error::raise;

/// A secret that is bound to an origin and to a place: a secure request takes it nowhere else.
///
/// `Credential.bearer("https://api.example.org", Secret.env("EXAMPLE_KEY"))`. The origin is `https://host[:port]`, or http on this
/// machine.
#[napi]
pub struct Credential {
    inner: nbhd_core::secure::Credential,
}

#[napi]
impl Credential {
    /// `Authorization: Bearer <secret>`.
    #[napi(factory, ts_args_type = "origin: string, secret: Secret | string")]
    pub fn bearer(env: &Env, origin: String, secret: SecretArgument<'_>) -> Result<Self> {
        made(
            env,
            nbhd_core::secure::Credential::bearer(&origin, source(secret)),
        )
    }

    /// `Authorization: Basic …`, the secret being the password of `user`.
    #[napi(
        factory,
        ts_args_type = "origin: string, user: string, secret: Secret | string"
    )]
    pub fn basic(env: &Env, origin: String, user: String, secret: SecretArgument<'_>) -> Result<Self> {
        made(
            env,
            nbhd_core::secure::Credential::basic(&origin, user, source(secret)),
        )
    }

    /// A header of this name, after `prefix`.
    #[napi(
        factory,
        ts_args_type = "origin: string, name: string, secret: Secret | string, options?: { prefix?: string }"
    )]
    pub fn header(
        env: &Env,
        origin: String,
        name: String,
        secret: SecretArgument<'_>,
        options: Option<Object<'_>>,
    ) -> Result<Self> {
        let prefix = match &options {
            Some(options) => options.get::<String>("prefix")?.unwrap_or_default(),
            None => String::new(),
        };
        let made_of = nbhd_core::secure::Credential::header_after(&origin, &name, &prefix, source(secret));
        made(env, made_of)
    }

    /// A query parameter of this name.
    #[napi(
        factory,
        ts_args_type = "origin: string, name: string, secret: Secret | string"
    )]
    pub fn query(env: &Env, origin: String, name: String, secret: SecretArgument<'_>) -> Result<Self> {
        made(
            env,
            nbhd_core::secure::Credential::query(&origin, name, source(secret)),
        )
    }

    /// A value of the JSON body at this JSON Pointer, such as `/auth/token`.
    #[napi(
        factory,
        ts_args_type = "origin: string, pointer: string, secret: Secret | string"
    )]
    pub fn json(env: &Env, origin: String, pointer: String, secret: SecretArgument<'_>) -> Result<Self> {
        made(
            env,
            nbhd_core::secure::Credential::json(&origin, pointer, source(secret)),
        )
    }

    /// A field of the form body.
    #[napi(
        factory,
        ts_args_type = "origin: string, name: string, secret: Secret | string"
    )]
    pub fn form(env: &Env, origin: String, name: String, secret: SecretArgument<'_>) -> Result<Self> {
        made(
            env,
            nbhd_core::secure::Credential::form(&origin, name, source(secret)),
        )
    }
}

fn made(env: &Env, credential: nbhd_core::Result<nbhd_core::secure::Credential>) -> Result<Credential> {
    credential
        .map(|inner| Credential { inner })
        .map_err(|error| raise(env, &error))
}

/// What a call allows.
pub(crate) fn access(options: Option<&Object<'_>>) -> Result<nbhd_core::Result<Access>> {
    let mut access = Access::new();
    let Some(options) = options else {
        return Ok(Ok(access));
    };
    let credentials = options.get::<Vec<ClassInstance<'_, Credential>>>("credentials")?;
    for credential in credentials.unwrap_or_default() {
        access = access.with_credential(credential.inner.clone());
    }
    for host in options.get::<Vec<String>>("hosts")?.unwrap_or_default() {
        match HostRule::new(&host) {
            Ok(rule) => access = access.with_host(rule),
            Err(error) => return Ok(Err::<Access, Error>(error)),
        }
    }
    if options.get::<bool>("loopback")?.unwrap_or_default() {
        access = access.with_loopback();
    }
    if let Some(redirects) = options.get::<u32>("redirects")? {
        access = access.with_redirects(redirects);
    }
    if let Some(actor) = options.get::<String>("actor")? {
        access = access.with_actor(actor);
    }
    Ok(Ok(access))
}
