//! A transport with faults, and transports with a planted defect: for proofs, which must fail when something is broken.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;

use super::KillPlan;
use crate::http::{BodyStream, Request, Response};
use crate::transport::{Resolver, Transport};
use crate::{Error, Operation, Result};

/// Wraps a transport, such as a host's socket. The hook is told four points of every request:
///
/// - `request.write.before`: nothing has left;
/// - `request.write.after`: the other side has the request and has begun to answer, nothing of the answer was looked at;
/// - `reply.read.before`: the head is known, nothing of the body was read;
/// - `reply.read.after`: the whole body was read.
///
/// An error that it answers at a point stands for a connection that broke there.
#[derive(Clone)]
pub struct FaultyTransport {
    transport: Arc<dyn Transport>,
    hook: Hook,
}

type Hook = Arc<dyn Fn(&str) -> Option<Error> + Send + Sync>;

impl FaultyTransport {
    /// A transport whose every request asks `hook`.
    pub fn new(
        transport: Arc<dyn Transport>,
        hook: impl Fn(&str) -> Option<Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            transport,
            hook: Arc::new(hook),
        }
    }

    /// A transport whose every request passes four points of `plan`.
    pub fn killing(transport: Arc<dyn Transport>, plan: Arc<KillPlan>) -> Self {
        Self::new(transport, move |point| {
            plan.hit(point);
            None
        })
    }

    fn ask(&self, point: &str) -> Result<()> {
        (self.hook)(point).map_or(Ok(()), Err)
    }
}

impl fmt::Debug for FaultyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyTransport")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for FaultyTransport {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        self.ask("request.write.before")?;
        let reply = self.transport.send(operation, request).await?;
        self.ask("request.write.after")?;
        let faulty = self.clone();
        Ok(reply.map_body(move |body| watched(faulty, body)))
    }
}

/// Where the reading of a body is.
enum Reading {
    Begin(FaultyTransport, BodyStream),
    Within(FaultyTransport, BodyStream),
    End,
}

fn watched(faulty: FaultyTransport, body: BodyStream) -> BodyStream {
    Box::pin(futures::stream::unfold(
        Reading::Begin(faulty, body),
        |reading| async move {
            let (faulty, mut body) = match reading {
                Reading::Begin(faulty, body) => {
                    if let Err(error) = faulty.ask("reply.read.before") {
                        return Some((Err(error), Reading::End));
                    }
                    (faulty, body)
                }
                Reading::Within(faulty, body) => (faulty, body),
                Reading::End => return None,
            };
            if let Some(piece) = body.next().await {
                return Some((piece, Reading::Within(faulty, body)));
            }
            let error = faulty.ask("reply.read.after").err()?;
            Some((Err(error), Reading::End))
        },
    ))
}

/// What is wrong with a [`SabotagedTransport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportSabotage {
    /// Writes each request's credential into the log, through `tracing`.
    LogCredential,
    /// Sends every request twice and gives the second answer.
    SendTwice,
    /// Follows redirects by itself, wherever they lead and with every header: what stands above sees only the end.
    FollowRedirects,
}

/// A transport with a defect that a proof has to find.
#[derive(Debug, Clone)]
pub struct SabotagedTransport {
    transport: Arc<dyn Transport>,
    sabotage: TransportSabotage,
}

impl SabotagedTransport {
    /// Breaks `transport`.
    pub fn new(transport: Arc<dyn Transport>, sabotage: TransportSabotage) -> Self {
        Self { transport, sabotage }
    }
}

#[async_trait]
impl Transport for SabotagedTransport {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        match self.sabotage {
            TransportSabotage::LogCredential => {
                let secrets = request.authorization.secrets();
                let credential = secrets.first().map_or("", |secret| secret.expose().as_str());
                tracing::info!(target: "nbhd::http", label = request.label, credential, "request");
            }
            TransportSabotage::SendTwice => {
                let first = self.transport.send(operation, request.clone()).await?;
                first.bytes().await?;
            }
            TransportSabotage::FollowRedirects => return self.follow(operation, request).await,
        }
        self.transport.send(operation, request).await
    }
}

impl SabotagedTransport {
    async fn follow(&self, operation: &Operation, mut request: Request) -> Result<Response> {
        loop {
            let reply = self.transport.send(operation, request.clone()).await?;
            let next = reply
                .header("location")
                .and_then(|place| request.url.join(place).ok());
            match next.filter(|_| reply.status.is_redirection()) {
                Some(url) => request.url = url,
                None => return Ok(reply),
            }
        }
    }
}

/// A transport that has a name resolved again after it was checked, and connects to what it then stands for: DNS rebinding has its way.
#[derive(Debug)]
pub struct Rebound {
    transport: Arc<dyn Transport>,
    resolver: Arc<dyn Resolver>,
}

impl Rebound {
    /// Breaks `transport`, whose names `resolver` resolves.
    pub fn new(transport: impl Transport + 'static, resolver: Arc<dyn Resolver>) -> Self {
        Self {
            transport: Arc::new(transport),
            resolver,
        }
    }
}

#[async_trait]
impl Transport for Rebound {
    async fn send(&self, operation: &Operation, mut request: Request) -> Result<Response> {
        let name = request.url.host_str().unwrap_or_default().to_owned();
        for _check_and_use in 0..2 {
            let found = self.resolver.resolve(&name).await.unwrap_or_default();
            if let Some(address) = found.first() {
                let _ = request.url.set_ip_host(*address);
            }
        }
        self.transport.send(operation, request).await
    }
}
