//! TLS to the server: rustls, with the certificate and the name always verified.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Encrypted;

use crate::{Code, Error, Result};

/// Whether, and with which roots, the connections are encrypted.
#[derive(Clone)]
pub(super) enum Tls {
    Off,
    Verified(Arc<ClientConfig>),
}

impl Tls {
    /// Verified against the roots in a PEM file, else against the bundled ones.
    pub(super) fn verified(file: Option<&Path>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        match file {
            None => {
                roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
            }
            Some(file) => {
                let unreadable = || {
                    Error::new(
                        Code::InvalidConfig,
                        "the file that sslrootcert names has no certificates",
                    )
                };
                for certificate in CertificateDer::pem_file_iter(file).map_err(|_| unreadable())? {
                    roots
                        .add(certificate.map_err(|_| unreadable())?)
                        .map_err(|_| unreadable())?;
                }
                if roots.is_empty() {
                    return Err(unreadable());
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::new(Code::TlsFailed, "no TLS client can be made on this machine"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::Verified(Arc::new(config)))
    }
}

/// Makes the handshake with one host.
pub(super) struct Handshake(Arc<ClientConfig>);

impl Handshake {
    pub(super) fn new(config: &Arc<ClientConfig>) -> Self {
        Self(Arc::clone(config))
    }
}

impl<S> MakeTlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = WithHost;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> std::result::Result<WithHost, Self::Error> {
        Ok(WithHost {
            config: Arc::clone(&self.0),
            host: ServerName::try_from(host.to_owned())?,
        })
    }
}

pub(super) struct WithHost {
    config: Arc<ClientConfig>,
    host: ServerName<'static>,
}

impl<S> TlsConnect<S> for WithHost
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connector = TlsConnector::from(self.config);
            connector
                .connect(self.host, stream)
                .await
                .map(|it| Stream(Box::new(it)))
        })
    }
}

/// An encrypted connection.
pub(super) struct Stream<S>(Box<Encrypted<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        // The certificate is verified: the binding would say the same again.
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }
}
