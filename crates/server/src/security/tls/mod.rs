//! TLS: a certificate and its key, looked at before anybody connects, and again when the server is told to.
//!
//! What is wrong with a certificate is said at the start, not by the first client. Replacing it needs no restart: the files are read again, and if they
//! are right, who connects from then on gets the new one; if not, the old one stays and the log says why.

mod development;
mod validity;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use gesta_store::{Timestamp, clock::Clock};
use rustls::{
    InconsistentKeys, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

pub use development::{DevelopmentCertificates, DevelopmentError};
use validity::Validity;

/// What clients may speak, the first first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// How long before its end a certificate is worth a word in the log: a month, so that somebody reads it in time.
const EXPIRY_WARNING_SECONDS: i64 = 30 * 24 * 60 * 60;

/// A certificate and its key, as files have them.
#[derive(Clone)]
pub struct Pem {
    /// The server's certificate first, then those it rests on.
    pub certificates: Vec<u8>,
    /// The key of the first.
    pub key: Vec<u8>,
}

/// Reads the files, at the start and whenever they may have changed.
pub type PemSource = Box<dyn Fn() -> Result<Pem, TlsError> + Send + Sync>;

/// What a server needs to speak TLS.
pub struct Tls {
    source: PemSource,
    clock: Arc<dyn Clock>,
    config: Mutex<Arc<ServerConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls") // there is a key in it
    }
}

/// Why a server cannot speak TLS.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read; the text says which, and why.
    Unreadable(String),
    /// There is no certificate in the file of certificates.
    NoCertificate,
    /// There is no key in the file of the key.
    NoKey,
    /// What stands in a file is no certificate.
    Malformed(String),
    /// The key is not that of the first certificate.
    KeyMismatch,
    /// The certificate holds no more.
    Expired {
        /// Since when.
        since: Timestamp,
    },
    /// The certificate does not hold yet.
    NotYetValid {
        /// From when on it does.
        from: Timestamp,
    },
    /// Something else is wrong with it.
    Unusable(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(what) => f.write_str(what),
            Self::NoCertificate => f.write_str("there is no certificate in the file, expected=\"BEGIN CERTIFICATE\""),
            Self::NoKey => f.write_str("there is no private key in the file, expected=\"BEGIN PRIVATE KEY\""),
            Self::Malformed(why) => write!(f, "what stands in the file is no certificate or key: {why}"),
            Self::KeyMismatch => f.write_str("the key does not belong to the first certificate"),
            Self::Expired { since } => write!(f, "the certificate has expired, valid_until={}", civil(*since)),
            Self::NotYetValid { from } => write!(f, "the certificate is not valid yet, valid_from={}", civil(*from)),
            Self::Unusable(error) => write!(f, "the certificate or its key cannot be used: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

impl Tls {
    /// Reads and checks a certificate.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(source: PemSource, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let config = Mutex::new(Arc::new(config(&source()?, clock.now())?));
        Ok(Self { source, clock, config })
    }

    /// Reads the files again. If something is wrong with them, nothing changes.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(config(&(self.source)()?, self.clock.now())?);
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What the next connection is accepted with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn config(pem: &Pem, now: Timestamp) -> Result<ServerConfig, TlsError> {
    let malformed = |error: rustls::pki_types::pem::Error| TlsError::Malformed(error.to_string());
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&pem.certificates).collect::<Result<_, _>>().map_err(malformed)?;
    let first = certificates.first().ok_or(TlsError::NoCertificate)?;
    check_validity(first, now)?;
    let key = match PrivateKeyDer::from_pem_slice(&pem.key) {
        Ok(key) => key,
        Err(rustls::pki_types::pem::Error::NoItemsFound) => return Err(TlsError::NoKey),
        Err(error) => return Err(malformed(error)),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.map_err(TlsError::Unusable)?.with_no_client_auth().with_single_cert(certificates, key);
    let mismatch = rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
    let mut config =
        config.map_err(|error| if error == mismatch { TlsError::KeyMismatch } else { TlsError::Unusable(error) })?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

fn check_validity(certificate: &CertificateDer<'_>, now: Timestamp) -> Result<(), TlsError> {
    let Validity { from, until } =
        Validity::of(certificate).ok_or_else(|| TlsError::Malformed("the dates cannot be read".to_owned()))?;
    let seconds = now.0.div_euclid(NANOS_PER_SECOND);
    if seconds < from {
        return Err(TlsError::NotYetValid { from: timestamp(from) });
    }
    if seconds > until {
        return Err(TlsError::Expired { since: timestamp(until) });
    }
    if until - seconds < EXPIRY_WARNING_SECONDS {
        tracing::warn!(valid_until = civil(timestamp(until)), "the certificate expires soon");
    }
    Ok(())
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp(seconds.saturating_mul(NANOS_PER_SECOND))
}

/// A time as people write it, to the second.
fn civil(time: Timestamp) -> String {
    let seconds = time.0.div_euclid(NANOS_PER_SECOND);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = validity::civil_of_days(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests;
