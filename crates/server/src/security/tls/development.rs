//! Certificates for development: an authority of one's own, and a certificate it signs.
//!
//! A certificate that signs itself would be less, and several clients refuse it: they take an authority, and a certificate below it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use gesta_store::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the authority holds, in days: longer than any certificate it signs.
const AUTHORITY_DAYS: u32 = 3650;
/// Signs of one line of base64 in a file.
const LINE: usize = 64;

/// An authority and a certificate, as files have them.
pub struct DevelopmentCertificates {
    /// The authority: what clients are told to trust.
    pub authority: String,
    /// Its key, with which more can be signed.
    pub authority_key: String,
    /// The server's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// A name that no certificate can have.
#[derive(Debug)]
pub struct DevelopmentError(rcgen::Error);

impl std::fmt::Display for DevelopmentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a certificate cannot be made: {}", self.0)
    }
}

impl std::error::Error for DevelopmentError {}

impl From<rcgen::Error> for DevelopmentError {
    fn from(error: rcgen::Error) -> Self {
        Self(error)
    }
}

impl DevelopmentCertificates {
    /// Makes them for servers of these names and addresses, holding from `now` on for so many days.
    ///
    /// # Errors
    /// For a name that no certificate can have.
    pub fn make(names: &[String], now: Timestamp, days: u32) -> Result<Self, DevelopmentError> {
        let mut authority = params(Vec::new(), "Gesta development authority", now, AUTHORITY_DAYS.max(days))?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let mut node = params(names.to_vec(), "Gesta development node", now, days)?;
        node.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        node.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        node.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = node.signed_by(&key, &authority)?;
        Ok(Self {
            authority: pem("CERTIFICATE", authority.der()),
            authority_key: pem("PRIVATE KEY", authority.key().serialized_der()),
            certificate: pem("CERTIFICATE", certificate.der()),
            key: pem("PRIVATE KEY", key.serialized_der()),
        })
    }
}

fn params(names: Vec<String>, subject: &str, now: Timestamp, days: u32) -> Result<CertificateParams, DevelopmentError> {
    let mut params = CertificateParams::new(names)?;
    let now = date_time_ymd(1970, 1, 1) + Duration::from_nanos(u64::try_from(now.0).unwrap_or(0));
    params.distinguished_name.push(DnType::CommonName, subject);
    // Clocks of other machines may be behind.
    params.not_before = now - DAY;
    params.not_after = now + DAY * days;
    Ok(params)
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = behind;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
