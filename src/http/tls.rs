//! The server's certificate and key: read from PEM files, checked as thoroughly as possible before a client sees them,
//! and replaced by new ones while connections go on.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail, ensure};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::nom::Finish;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use crate::config::TlsFiles;

/// The kinds of keys that can be used.
const KEYS: &str = "RSA of 2048 to 4096 bits, elliptic curve P-256 or P-384, Ed25519";

/// What new connections are encrypted with.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Loaded>,
}

/// Files that were read and checked.
struct Loaded {
    config: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
    ends_at: i64,
}

impl Tls {
    pub fn load(files: TlsFiles) -> anyhow::Result<Tls> {
        let current = RwLock::new(load(&files, SystemTime::now())?);
        Ok(Tls { files, current })
    }

    pub fn current(&self) -> Arc<ServerConfig> {
        let loaded = self.current.read().unwrap_or_else(PoisonError::into_inner);
        loaded.config.clone()
    }

    /// When the first certificate of the chain to expire does so, in seconds since 1970 UTC.
    pub fn ends_at(&self) -> i64 {
        let loaded = self.current.read().unwrap_or_else(PoisonError::into_inner);
        loaded.ends_at
    }

    /// Reads the files again. If something is wrong with them, nothing changes.
    pub fn reload(&self) -> anyhow::Result<()> {
        let loaded = load(&self.files, SystemTime::now())?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }
}

/// Reads and checks the files as a start at this time would.
fn load(files: &TlsFiles, now: SystemTime) -> anyhow::Result<Loaded> {
    let TlsFiles {
        certificate,
        private_key,
    } = files;
    let (chain, ends_at) = read_certificates(certificate)
        .and_then(|chain| check_validity(&chain, now).map(|ends_at| (chain, ends_at)))
        .with_context(|| format!("server.tls_certificate: {}", certificate.display()))?;
    let key = read_key(private_key);
    let key = key.with_context(|| format!("server.tls_private_key: {}", private_key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let usable = provider.key_provider.load_private_key(key.clone_key());
    usable.map_err(|_| {
        anyhow!(
            "server.tls_private_key: {}: no key of a kind that can be used: {KEYS}",
            private_key.display()
        )
    })?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth();
    let mut config = builder
        .with_single_cert(chain.clone(), key)
        .map_err(|err| match err {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => anyhow!(
                "server.tls_private_key: {} is not the key of the certificate {}",
                private_key.display(),
                certificate.display()
            ),
            err => anyhow!("server.tls_private_key: {}: {err}", private_key.display()),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    Ok(Loaded {
        config: Arc::new(config),
        chain,
        ends_at,
    })
}

/// What `check` reports about files that the server would start with.
pub struct Look {
    /// The host names and addresses that the certificate is for.
    pub names: Vec<String>,
    /// What the operator should see to.
    pub warning: Option<String>,
}

/// Reads and checks the files as a start now would, and looks `days` ahead.
pub fn look(files: &TlsFiles, now: SystemTime, days: u32) -> anyhow::Result<Look> {
    let chain = load(files, now)?.chain;
    let chain = parse(&chain)?;
    let own = &chain[0];
    let names = names_of(own)?;
    let later = now + Duration::from_secs(u64::from(days) * 86_400);
    let warning = match find_invalid(&chain, unix(later)?) {
        Some((number, Invalid::Since(end))) => Some(format!(
            "renew it: certificate {number} expires on {}",
            date(end)
        )),
        _ if chain.len() == 1 && own.issuer() != own.subject() => Some(
            "its issuer's certificate is missing: clients that do not have it fail; put the whole chain into the file, \
             such as fullchain.pem"
                .to_owned(),
        ),
        _ if names.is_empty() => Some("is for no host name (subjectAltName)".to_owned()),
        _ => None,
    };
    Ok(Look { names, warning })
}

/// The host names and IP addresses among the alternative names.
fn names_of(certificate: &X509Certificate) -> anyhow::Result<Vec<String>> {
    let Some(alternatives) = certificate.subject_alternative_name()? else {
        return Ok(Vec::new());
    };
    let names = alternatives.value.general_names.iter();
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = || <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4().or_else(|_| v6())
                .ok()
                .map(|address| address.to_string())
        }
        // Names of people, mailboxes and others that no client looks for.
        _ => None,
    });
    Ok(names.collect())
}

fn read_certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(without_mark(&fs::read(path)?)).collect();
    let certificates = certificates.map_err(in_words)?;
    ensure!(!certificates.is_empty(), "holds no certificate");
    Ok(certificates)
}

fn read_key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let bytes = fs::read(path)?;
    PrivateKeyDer::from_pem_slice(without_mark(&bytes)).map_err(|err| match err {
        pem::Error::NoItemsFound => anyhow!("holds no private key, or one locked by a password"),
        // Such as the headers of a key that is locked by a password.
        pem::Error::Base64Decode(why) => {
            anyhow!("not PEM, or a key locked by a password: {why}")
        }
        err => in_words(err),
    })
}

/// The text without the byte order mark that some editors add.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn in_words(err: pem::Error) -> anyhow::Error {
    match err {
        pem::Error::MissingSectionEnd { end_marker } => {
            let end = String::from_utf8_lossy(&end_marker);
            anyhow!(
                "not PEM: the line \"-----END {}-----\" is missing",
                end.trim()
            )
        }
        pem::Error::IllegalSectionStart { line } => {
            let line = String::from_utf8_lossy(&line);
            anyhow!("not PEM: {:?} begins no section", line.trim())
        }
        err => anyhow!("not PEM: {err}"),
    }
}

/// Why a certificate is not valid at a time.
enum Invalid {
    Since(ASN1Time),
    Until(ASN1Time),
}

/// Whether each certificate of the chain is valid at this time; returns when the first of them to expire does so.
fn check_validity(chain: &[CertificateDer], now: SystemTime) -> anyhow::Result<i64> {
    let chain = parse(chain)?;
    match find_invalid(&chain, unix(now)?) {
        Some((number, Invalid::Since(end))) => {
            bail!("certificate {number} expired on {}", date(end))
        }
        Some((number, Invalid::Until(begin))) => {
            bail!("certificate {number} is valid from {} on", date(begin))
        }
        None => {}
    }
    let ends = chain.iter().map(|one| one.validity().not_after.timestamp());
    ends.min().context("holds no certificate")
}

fn parse<'a>(chain: &'a [CertificateDer]) -> anyhow::Result<Vec<X509Certificate<'a>>> {
    let mut parsed = Vec::new();
    for (number, der) in (1..).zip(chain) {
        let certificate = X509Certificate::from_der(der).finish();
        let (rest, certificate) = certificate.with_context(|| format!("certificate {number}"))?;
        ensure!(
            rest.is_empty(),
            "certificate {number} is longer than it says"
        );
        let (begin, end) = (
            certificate.validity().not_before,
            certificate.validity().not_after,
        );
        ensure!(begin <= end, "certificate {number} ends before it begins");
        ensure!(
            end.timestamp() >= 0,
            "certificate {number} expired before 1970"
        );
        parsed.push(certificate);
    }
    Ok(parsed)
}

/// The first certificate of the chain that is not valid at this time, by its number from 1.
fn find_invalid(chain: &[X509Certificate], at: i64) -> Option<(usize, Invalid)> {
    (1..).zip(chain).find_map(|(number, certificate)| {
        let validity = certificate.validity();
        if at > validity.not_after.timestamp() {
            Some((number, Invalid::Since(validity.not_after)))
        } else if at < validity.not_before.timestamp() {
            Some((number, Invalid::Until(validity.not_before)))
        } else {
            None
        }
    })
}

fn unix(time: SystemTime) -> anyhow::Result<i64> {
    Ok(i64::try_from(time.duration_since(UNIX_EPOCH)?.as_secs())?)
}

/// Of a time that is not before 1970.
fn date(time: ASN1Time) -> String {
    httpdate::fmt_http_date(time.to_datetime().into())
}
