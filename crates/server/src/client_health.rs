//! Asking a server whether it is ready, as any health check would: over HTTP/1.1, with TLS or without, and without saying who asks.

use std::{future::Future, io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
};
use tokio_rustls::TlsConnector;

use crate::{
    client::without_user,
    native::{self, ClientError},
    runtimes,
};

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It takes appends.
    Ready,
    /// It does not; why.
    NotReady(String),
}

/// Asks the server at `http://host:port`, or at `https://host:port` if its certificate rests on `authority` (in PEM form); it may take `time`.
///
/// # Errors
/// `Other` for an address that is none, and for a server that is no gesta; `NoRuntime`; `Unreachable`.
pub fn readiness(url: &str, authority: Option<&[u8]>, time: Duration) -> Result<Readiness, ClientError> {
    // Nobody is told the password of whoever asks.
    let url = &without_user(url);
    let runtime = runtimes::build(Builder::new_current_thread().enable_all()).map_err(native::no_runtime)?;
    let answer = runtime.block_on(async {
        match tokio::time::timeout(time, ask(url, authority)).await {
            Ok(answer) => answer,
            Err(_) => Err(unreachable(url, &io::ErrorKind::TimedOut.into())),
        }
    })?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let why = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    match status {
        "204" => Ok(Readiness::Ready),
        "503" => Ok(Readiness::NotReady(why.to_owned())),
        _ => Err(ClientError::Other(format!("this is no gesta server, url={url} status={status:?}"))),
    }
}

fn unreachable(url: &str, error: &io::Error) -> ClientError {
    ClientError::Unreachable(format!("the server cannot be reached, url={url}: {error}"))
}

async fn ask(url: &str, authority: Option<&[u8]>) -> Result<String, ClientError> {
    let wrong = || ClientError::Other(format!("not the address of a server, write http:// or https://, url={url}"));
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let place = rest.trim_end_matches('/');
    let connected = async { TcpStream::connect(place).await };
    match scheme {
        "http" => told(url, get(place, connected.await)).await,
        "https" => {
            let config = trusting(url, authority)?;
            let host = place.rsplit_once(':').map_or(place, |(host, _)| host).trim_matches(['[', ']']);
            let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
            let secured = async { TlsConnector::from(Arc::new(config)).connect(name, connected.await?).await };
            told(url, get(place, secured.await)).await
        }
        _ => Err(wrong()),
    }
}

async fn told(url: &str, answer: impl Future<Output = io::Result<String>>) -> Result<String, ClientError> {
    answer.await.map_err(|error| unreachable(url, &error))
}

/// What a server is known by.
fn trusting(url: &str, authority: Option<&[u8]>) -> Result<ClientConfig, ClientError> {
    let other = |what: String| ClientError::Other(format!("{what}, url={url}"));
    let authority = authority.ok_or_else(|| other("a certificate is needed to know the server by".to_owned()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        let certificate = certificate.map_err(|error| other(format!("this is no certificate ({error})")))?;
        roots.add(certificate).map_err(|error| other(format!("the certificate cannot be used ({error})")))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| other(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn get(place: &str, connected: io::Result<impl AsyncRead + AsyncWrite + Unpin>) -> io::Result<String> {
    let mut stream = connected?;
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(ANSWER_BYTES_MAX);
    let read = stream.read_to_end(&mut answer).await;
    // A server may end the connection without saying goodbye; what it said before counts.
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
