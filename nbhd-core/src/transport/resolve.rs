//! From a name to the addresses that may be connected to.
//!
//! A name is resolved once for each connection. The answer is checked, and the connection is made to what was checked and to nothing else, so
//! a name that answers otherwise the next time (DNS rebinding) gains nothing. Of an answer that mixes kinds, only what may be reached is left.

use std::fmt::{self, Debug};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;

use super::HostRule;
use super::address::Network;

/// What turns names into addresses.
#[async_trait]
pub trait Resolver: Send + Sync + Debug {
    /// All addresses of `name`, in the order of preference.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver: its hosts file and name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Leaves of what a resolver answers only what may be reached.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) private_hosts: Arc<[HostRule]>,
}

impl Checked {
    async fn approved(&self, name: &str) -> Result<Vec<SocketAddr>, BoxError> {
        let found = self.resolver.resolve(name).await?;
        if found.is_empty() {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        let approved: Vec<_> = found
            .into_iter()
            .filter(|address| may_stand_for(name, *address, &self.private_hosts))
            .map(|address| SocketAddr::new(address, 0))
            .collect();
        if approved.is_empty() {
            return Err(Denied.into());
        }
        Ok(approved)
    }
}

/// Whether `name` may stand for `address`: a public one; one of this machine for `localhost`, which nobody else can claim (RFC 6761, 6.3); one
/// of a private network, or of this machine, for a name that the program trusts there.
fn may_stand_for(name: &str, address: IpAddr, private_hosts: &[HostRule]) -> bool {
    match Network::of(address) {
        _ if name == "localhost" => Network::of(address) == Network::Loopback,
        Network::Public => true,
        Network::Loopback | Network::Private => private_hosts.iter().any(|rule| rule.names(name)),
        Network::Never => false,
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl reqwest::dns::Resolve for Checked {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let this = self.clone();
        Box::pin(async move {
            let approved = this.approved(name.as_str()).await?;
            Ok(Box::new(approved.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// The name stands for nothing that may be reached.
#[derive(Debug)]
pub(super) struct Denied;

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name stands for an address that is not public")
    }
}

impl std::error::Error for Denied {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_what_they_may() {
        let private = [HostRule::new("*.corp.example").expect("a rule")];
        let table = [
            ("api.example.org", "8.8.8.8", true),
            ("api.example.org", "127.0.0.1", false),
            ("api.example.org", "10.0.0.1", false),
            ("localhost", "127.0.0.1", true),
            ("localhost", "::1", true),
            ("localhost", "8.8.8.8", false),
            ("localhost.", "127.0.0.1", false),
            ("a.localhost", "127.0.0.1", false),
            ("llm.corp.example", "10.0.0.1", true),
            ("llm.corp.example", "127.0.0.1", true),
            ("llm.corp.example", "fd12::1", true),
            ("llm.corp.example", "8.8.8.8", true),
            ("llm.corp.example", "169.254.169.254", false),
            ("llm.corp.example", "0.0.0.0", false),
            ("corp.example", "10.0.0.1", false),
        ];
        for (name, address, expected) in table {
            let allowed = may_stand_for(name, address.parse().expect("an address"), &private);
            assert_eq!(allowed, expected, "{name} {address}");
        }
    }
}
