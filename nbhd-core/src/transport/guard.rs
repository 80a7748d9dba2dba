//! Where requests may go: https, or this machine; allowed hosts where a client names them; and the same again wherever a redirect points.
//!
//! The URL parser has read every notation of an address by then, so an address is judged as what it is. Names are judged where they are
//! resolved, see [`resolve`](super::resolve): the connection is made to exactly what was checked there.

use std::sync::Arc;

use async_trait::async_trait;
use url::{Host as UrlHost, Url};

use super::address::Network;
use super::permit::pay;
use super::{HostRule, Permits, Transport, redirect};
use crate::http::{Request, Response};
use crate::{Code, Error, Operation, Outcome, Result};

/// Checks where each request goes, and follows redirects where that is allowed: each hop is a request, and pays like one.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) reach: Reach,
    pub(super) permits: Option<Arc<dyn Permits>>,
    pub(super) inner: Arc<dyn Transport>,
}

/// Where a client's requests may go.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    /// The hosts; every one unless set.
    pub(super) allowed: Option<Vec<HostRule>>,
    /// Whether this machine may be asked, by an address of it or as `localhost`; over http too.
    pub(super) loopback: bool,
    /// The hosts that the program trusts in its private network.
    pub(super) private: Arc<[HostRule]>,
    /// How many redirects are followed; 0 refuses them.
    pub(super) redirects: u32,
}

#[async_trait]
impl Transport for Guard {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        self.reach.check(&request.url)?;
        if self.reach.redirects == 0 {
            let reply = self.inner.send(operation, request).await?;
            return match redirect::target(&reply) {
                None => Ok(reply),
                Some(_) => Err(
                    denied("the other side redirected elsewhere, and redirects are not followed")
                        .with_outcome(Outcome::Refused)
                        .with_provider_status(reply.status.as_u16()),
                ),
            };
        }
        self.follow(operation, request).await
    }
}

impl Guard {
    async fn follow(&self, operation: &Operation, mut request: Request) -> Result<Response> {
        // Whether a request that changes something was answered "done, see there": whatever fails from then on, it may have happened.
        let mut done = false;
        let mut hops = 0;
        loop {
            let sent = match &self.permits {
                Some(permits) if hops > 0 => pay(&**permits, &*self.inner, operation, request.clone()).await,
                _ => self.inner.send(operation, request.clone()).await,
            };
            let mut reply = match sent {
                Ok(reply) => reply,
                Err(error) if done => return Err(error.with_outcome(Outcome::Unknown)),
                Err(error) => return Err(error),
            };
            let Some(location) = redirect::target(&reply) else {
                return Ok(if done { reply.after_effect() } else { reply });
            };
            let status = reply.status;
            done |= redirect::is_effect(&request.method, status);
            let refuse = |error: Error| {
                let outcome = if done { Outcome::Unknown } else { Outcome::Refused };
                error.with_outcome(outcome).with_provider_status(status.as_u16())
            };
            if hops == self.reach.redirects {
                let limit = self.reach.redirects;
                return Err(refuse(Error::new(
                    Code::PolicyDenied,
                    format!("the other side redirected more than {limit} times"),
                )));
            }
            request = redirect::next(request, status, location).map_err(refuse)?;
            self.reach.check(&request.url).map_err(refuse)?;
            hops += 1;
            let headers = std::mem::take(&mut reply.headers);
            drop(reply); // ends this attempt before the next one begins
            if let Some(payment) = &request.payment {
                payment.end(status, &headers);
            }
        }
    }
}

impl Reach {
    fn check(&self, url: &Url) -> Result<()> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(denied("a URL must not carry a user name or a password"));
        }
        let here = is_loopback(url);
        if url.scheme() != "https" && !(url.scheme() == "http" && here) {
            return Err(denied("only https is allowed, and http to this machine itself"));
        }
        if here && !self.loopback {
            return Err(denied("this machine itself may not be called here"));
        }
        if !here && self.is_out_of_reach(url) {
            return Err(denied("the address is not a public one"));
        }
        if let Some(allowed) = &self.allowed
            && !allowed.iter().any(|rule| rule.allows(url))
        {
            return Err(denied("the host is not among those that may be called here"));
        }
        Ok(())
    }

    /// Whether the URL names an address, and not a public one. Names are judged when they are resolved.
    fn is_out_of_reach(&self, url: &Url) -> bool {
        let network = match url.host() {
            Some(UrlHost::Ipv4(address)) => Network::of(address.into()),
            Some(UrlHost::Ipv6(address)) => Network::of(address.into()),
            Some(UrlHost::Domain(_)) => return false,
            None => return true,
        };
        match network {
            Network::Public => false,
            Network::Private => !self.private.iter().any(|rule| rule.allows(url)),
            Network::Loopback | Network::Never => true,
        }
    }
}

fn denied(why: &str) -> Error {
    Error::new(Code::AddressDenied, why)
}

/// Whether the host is this machine by its address, or by the name that RFC 6761 reserves for it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(UrlHost::Ipv4(address)) => address.is_loopback(),
        Some(UrlHost::Ipv6(address)) => address.is_loopback(),
        Some(UrlHost::Domain(name)) => name == "localhost",
        None => false,
    }
}
