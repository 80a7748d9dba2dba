//! The one place that opens connections to Redis: TCP, or TLS with rustls. Roots: the machine's and, beside them, those that
//! come with the suite; a private authority is added to the machine's (`SSL_CERT_FILE` names another file of them).

use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::address::Address;
use super::failure::unavailable;
use crate::{Code, Error, Result};

pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Connects, without a word of the protocol yet. The caller keeps the deadline.
#[expect(clippy::disallowed_types, reason = "the one place that connects to Redis")]
pub(super) async fn connect(address: &Address) -> Result<Pin<Box<dyn Connection>>> {
    let stream = tokio::net::TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(|error| unavailable(format!("Redis cannot be reached: {}", error.kind())))?;
    // Small commands, each waited for: they must not wait for each other.
    let _ = stream.set_nodelay(true);
    if !address.tls {
        return Ok(Box::pin(stream));
    }
    let name = ServerName::try_from(address.host.clone()).map_err(|_| {
        Error::new(
            Code::InvalidConfig,
            "the host of the Redis store is no name for TLS",
        )
    })?;
    let stream = TlsConnector::from(Arc::new(config()?))
        .connect(name, stream)
        .await
        .map_err(|error| match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => {
                unavailable("Redis went away in the TLS handshake")
            }
            kind => Error::new(Code::TlsFailed, format!("no TLS connection to Redis: {kind}")),
        })?;
    Ok(Box::pin(stream))
}

fn config() -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map_err(|_| Error::new(Code::TlsFailed, "no TLS client can be made on this machine"))
}
