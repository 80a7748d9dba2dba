//! The rate gate: each attempt pays before it goes out. What ends before anybody was asked (a breaker, a credential that cannot
//! be had, the guard) is no attempt, and gets back what it paid.

use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;

use super::Transport;
use crate::http::{HeaderMap, Request, Response, StatusCode};
use crate::{Operation, Result};

/// A rate gate. Several clients may share one; see [`Gate`](crate::limit::Gate).
#[async_trait]
pub trait Permits: Send + Sync + Debug {
    /// Waits, within the operation's deadline, until `units` may be spent.
    async fn acquire(&self, operation: &Operation, units: u32) -> Result<Permit>;
}

type Complete = dyn FnOnce(StatusCode, &HeaderMap) + Send;

/// What an attempt paid. It lives until the reply's body has ended or was dropped; without a reply it stays paid in full,
/// unless nobody was asked.
pub struct Permit {
    complete: Option<Box<Complete>>,
    refund: Option<Box<dyn FnOnce() + Send>>,
    held: Option<Box<dyn Send>>,
}

impl Permit {
    /// A permit that tells `complete` what the reply's head said.
    pub fn new(complete: impl FnOnce(StatusCode, &HeaderMap) + Send + 'static) -> Self {
        Self {
            complete: Some(Box::new(complete)),
            refund: None,
            held: None,
        }
    }

    /// Sets what gives the units back when nobody was asked for them.
    pub fn with_refund(mut self, refund: impl FnOnce() + Send + 'static) -> Self {
        self.refund = Some(Box::new(refund));
        self
    }

    /// Adds what is given back when the permit ends, such as a place among a number of concurrent requests.
    pub fn holding(mut self, held: impl Send + 'static) -> Self {
        self.held = Some(Box::new(held));
        self
    }

    /// Tells the gate what the other side said of its limits.
    pub fn complete(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(complete) = self.complete.take() {
            complete(status, headers);
        }
    }
}

impl Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// The permit of a request that is under way, which travels with it: whoever repeats the request inside ends it before
/// another one is acquired, because both may be of one place.
#[derive(Debug, Clone)]
pub struct Payment(Arc<Pending>);

#[derive(Debug)]
struct Pending {
    asked: AtomicBool,
    permit: Mutex<Option<Permit>>,
}

impl Payment {
    fn new(permit: Permit) -> Self {
        Self(Arc::new(Pending {
            asked: AtomicBool::new(false),
            permit: Mutex::new(Some(permit)),
        }))
    }

    /// Notes that the other side is asked: it stays paid, whatever comes of it.
    pub(super) fn note_asked(&self) {
        self.0.asked.store(true, Ordering::Release);
    }

    /// Ends the permit with the reply to its attempt, which the caller has let go of.
    pub(super) fn end(&self, status: StatusCode, headers: &HeaderMap) {
        if let Some(mut permit) = self.take() {
            permit.complete(status, headers);
        }
    }

    fn take(&self) -> Option<Permit> {
        self.0
            .permit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Pays for each attempt.
#[derive(Debug)]
pub(super) struct Paid {
    pub(super) permits: Arc<dyn Permits>,
    pub(super) inner: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Paid {
    async fn send(&self, operation: &Operation, request: Request) -> Result<Response> {
        pay(&*self.permits, &*self.inner, operation, request).await
    }
}

/// Sends `request` with a permit of its own. A gate that gave up has waited already: nobody repeats it.
pub(super) async fn pay(
    permits: &dyn Permits,
    inner: &dyn Transport,
    operation: &Operation,
    mut request: Request,
) -> Result<Response> {
    let permit = permits
        .acquire(operation, request.units)
        .await
        .map_err(crate::Error::settled)?;
    let payment = Payment::new(permit);
    request.payment = Some(payment.clone());
    let reply = inner.send(operation, request).await;
    let Some(mut permit) = payment.take() else {
        // The reply is that of a later attempt, which paid for itself.
        return reply;
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            let asked = payment.0.asked.load(Ordering::Acquire);
            if let Some(refund) = permit.refund.take_if(|_| !asked) {
                refund();
            }
            return Err(error);
        }
    };
    permit.complete(reply.status, &reply.headers);
    Ok(reply.map_body(|mut body| {
        Box::pin(futures::stream::poll_fn(move |context| {
            let _ = &permit; // it ends with the body
            body.poll_next_unpin(context)
        }))
    }))
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;
    use crate::clock::FakeClock;
    use crate::http::{Authorization, Method};
    use crate::limit::Gate;
    use crate::testkit::{Call, Reply, Server, Storeless};
    use crate::transport::{Authorize, Layers, stack};
    use crate::{Code, Host, Secret};

    /// A host whose time moves only when somebody waits, and a client behind a gate that lets one unit pass every 10 s.
    fn client(layers: Layers) -> (Host, Arc<dyn Transport>) {
        let clock = Arc::new(FakeClock::at(DateTime::UNIX_EPOCH));
        let host = Storeless::host().with_clock(clock).build();
        let gate = Gate::per_minute(6).expect("a gate");
        let stack = stack(&host, layers.without_retry().with_permits(Arc::new(gate)));
        (host, stack)
    }

    async fn get(host: &Host, stack: &dyn Transport, url: &str) -> Result<StatusCode> {
        let operation = Operation::begin(host, "test.call");
        let request = Request::new(Method::GET, url.parse().expect("a URL"), "test.get");
        let ended = stack.send(&operation, request).await;
        operation
            .end(ended.map(|reply| reply.status))
            .map(|(status, _)| status)
    }

    #[tokio::test]
    async fn what_nobody_was_asked_for_is_not_paid() {
        let server = Server::start(Arc::new(|call: Call| match call.path.as_str() {
            "/" => Reply::text(200, ""),
            _ => Reply::Close,
        }))
        .expect("a server on loopback");
        let url = server.url();
        let (host, stack) = client(Layers::default());
        let waited = || host.clock().monotonic();
        host.breakers().force_open(&url, "maintenance");
        for _ in 0..5 {
            let refused = get(&host, &*stack, url.as_str()).await.expect_err("left alone");
            assert_eq!(refused.code(), Code::ProviderUnavailable);
            let refused = get(&host, &*stack, "http://example.org/")
                .await
                .expect_err("no TLS");
            assert_eq!(refused.code(), Code::AddressDenied);
        }
        assert_eq!((waited(), server.log().len()), (Duration::ZERO, 0));
        host.breakers().reset(&url);
        // Asked is paid, whatever came of it: each one but the first waits.
        for (path, seconds) in [("", 0), ("lost", 10), ("", 20)] {
            let answer = get(&host, &*stack, &format!("{url}{path}")).await;
            assert_eq!(answer.is_ok(), path.is_empty());
            assert_eq!(waited(), Duration::from_secs(seconds));
        }
    }

    #[tokio::test]
    async fn each_hop_of_a_redirect_pays() {
        let server = Server::start(Arc::new(|call: Call| match call.path.as_str() {
            "/a" => Reply::text(302, "").with_header("location", "/b"),
            "/b" => Reply::text(302, "").with_header("location", "/c"),
            _ => Reply::text(200, ""),
        }))
        .expect("a server on loopback");
        let (host, stack) = client(Layers::default().with_redirects(5));
        let answer = get(&host, &*stack, &format!("{}a", server.url())).await;
        assert_eq!(answer.expect("an answer"), StatusCode::OK);
        assert_eq!(
            (server.log().len(), host.clock().monotonic()),
            (3, Duration::from_secs(20))
        );
    }

    /// A gate with one place, for which nobody waits: whoever finds it taken fails.
    #[derive(Debug, Default)]
    struct OnePlace(Arc<AtomicBool>);

    struct Place(Arc<AtomicBool>);

    impl Drop for Place {
        fn drop(&mut self) {
            self.0.store(false, Ordering::Release);
        }
    }

    #[async_trait]
    impl Permits for OnePlace {
        async fn acquire(&self, _operation: &Operation, _units: u32) -> Result<Permit> {
            if self.0.swap(true, Ordering::AcqRel) {
                return Err(crate::Error::new(Code::RateLimited, "the place is taken"));
            }
            Ok(Permit::new(|_, _| {}).holding(Place(self.0.clone())))
        }
    }

    /// Has a key that is refused, and a fresh one.
    #[derive(Debug)]
    struct Keys;

    #[async_trait]
    impl Authorize for Keys {
        async fn authorization(&self, _operation: &Operation) -> Result<Authorization> {
            Ok(Authorization::Bearer(Arc::new(Secret::new("old"))))
        }

        async fn rejected(&self, _: &Operation, _: &Authorization) -> Result<Option<Authorization>> {
            Ok(Some(Authorization::Bearer(Arc::new(Secret::new("fresh")))))
        }
    }

    #[tokio::test]
    async fn an_attempt_gives_its_place_up_before_the_next_one_takes_it() {
        let server = Server::start(Arc::new(|call: Call| match call.path.as_str() {
            "/moved" => Reply::text(302, "").with_header("location", "/again"),
            "/again" => Reply::text(302, "").with_header("location", "/here"),
            _ if call.header("authorization") == Some("Bearer old") => Reply::text(401, ""),
            _ => Reply::text(200, ""),
        }))
        .expect("a server on loopback");
        let host = Storeless::host().build();
        let gate = Arc::new(OnePlace::default());
        let open = Layers::default()
            .without_retry()
            .with_redirects(5)
            .with_permits(gate.clone());
        let keyed = open.clone().with_authorize(Arc::new(Keys));
        for (layers, path, attempts) in [(&open, "moved", 3), (&keyed, "here", 2), (&keyed, "moved", 6)] {
            let before = server.log().len();
            let stack = stack(&host, layers.clone());
            let answer = get(&host, &*stack, &format!("{}{path}", server.url())).await;
            assert_eq!(answer.expect("an answer"), StatusCode::OK, "{path}");
            assert_eq!(server.log().len() - before, attempts, "{path}");
            assert!(!gate.0.load(Ordering::Acquire), "the last one gives it up too");
        }
    }
}
