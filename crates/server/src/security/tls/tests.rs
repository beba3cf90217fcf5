//! Certificates that are right, and what is said of those that are not.

use gesta_store::clock::ManualClock;

use super::*;

const NOW: Timestamp = Timestamp(1_750_000_000 * NANOS_PER_SECOND);
const DAY: i64 = 86_400 * NANOS_PER_SECOND;

fn made() -> DevelopmentCertificates {
    DevelopmentCertificates::make(&["localhost".to_owned(), "127.0.0.1".to_owned()], NOW, 365).unwrap()
}

fn said(certificates: &str, key: &str, now: Timestamp) -> String {
    match config(&Pem { certificates: certificates.into(), key: key.into() }, now) {
        Ok(config) => {
            format!("{:?}", config.alpn_protocols.iter().map(|one| one.escape_ascii().to_string()).collect::<Vec<_>>())
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_certificate_is_looked_at_before_anybody_connects() {
    let (one, other) = (made(), made());
    let said = |certificates: &str, key: &str| said(certificates, key, NOW);
    assert_eq!(said(&one.certificate, &one.key), r#"["h2", "http/1.1"]"#);
    assert_eq!(said(&(one.certificate.clone() + &one.authority), &one.key), r#"["h2", "http/1.1"]"#);
    assert_eq!(said(&one.certificate, &other.key), "the key does not belong to the first certificate");
    assert_eq!(said(&(one.authority + &one.certificate), &one.key), "the key does not belong to the first certificate");
    assert!(said(&one.key, &one.key).starts_with("there is no certificate in the file"));
    assert!(said(&one.certificate, &one.certificate).starts_with("there is no private key in the file"));
    assert!(said("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &one.key).contains("dates"));
}

#[test]
fn a_certificate_holds_from_a_day_before_it_was_made_until_its_end() {
    let made = made();
    let said = |now: i64| said(&made.certificate, &made.key, Timestamp(now));
    let second = NANOS_PER_SECOND;
    assert!(said(NOW.0 - DAY).starts_with('['));
    assert_eq!(said(NOW.0 - DAY - second), "the certificate is not valid yet, valid_from=2025-06-14T15:06:40Z");
    assert!(said(NOW.0 + 365 * DAY).starts_with('['));
    assert_eq!(said(NOW.0 + 365 * DAY + second), "the certificate has expired, valid_until=2026-06-15T15:06:40Z");
}

#[test]
fn a_certificate_that_is_replaced_by_nonsense_stays() {
    let (made, next) = (made(), made());
    let files = Arc::new(Mutex::new(Pem { certificates: made.certificate.into(), key: made.key.into() }));
    let read = Arc::clone(&files);
    let source: PemSource = Box::new(move || Ok(read.lock().unwrap().clone()));
    let tls = Tls::load(source, Arc::new(ManualClock::at(NOW))).unwrap();
    let config = || Arc::clone(&tls.config.lock().unwrap());
    let before = config();
    files.lock().unwrap().key = next.key.clone().into();
    assert!(matches!(tls.reload(), Err(TlsError::KeyMismatch)));
    assert!(Arc::ptr_eq(&config(), &before));
    files.lock().unwrap().certificates = next.certificate.into();
    tls.reload().unwrap();
    assert!(!Arc::ptr_eq(&config(), &before));
}
