//! The server's certificate and key: read from PEM files, checked as far as can be before a client does it, and
//! exchanged for new ones while connections go on.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail, ensure};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{InconsistentKeys, ServerConfig};
use webpki::{EndEntityCert, KeyUsage};

use crate::config::TlsFiles;

/// What the cryptography in use can sign with.
const KEYS: &str = "RSA of 2048 to 4096 bits, elliptic curve P-256 or P-384, Ed25519";

/// After the year 9999, the last that a certificate can name.
const FAR_AHEAD: Duration = Duration::from_secs(8_100 * 366 * 86_400);

/// What new connections are encrypted with.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Loaded>,
}

/// Files that were read and are right.
struct Loaded {
    config: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
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

    /// When the first certificate of the chain ends, in seconds since 1970 UTC; none if that is beyond reason.
    pub fn ends_at(&self) -> Option<i64> {
        let loaded = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let by_then = UNIX_EPOCH + FAR_AHEAD;
        let ends = loaded.chain.chunks(1).filter_map(|certificate| {
            match find_invalid(certificate, by_then).ok()?? {
                (_, Invalid::Since(end)) => i64::try_from(end.as_secs()).ok(),
                (_, Invalid::Until(_)) => None,
            }
        });
        ends.min()
    }

    /// Reads the files again. What is wrong with them leaves everything as it was.
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
    let chain = read_certificates(certificate)
        .and_then(|chain| check_validity(&chain, now).map(|()| chain))
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
    })
}

/// What a check tells of files that a start would take.
pub struct Look {
    /// The host names that the certificate is for.
    pub names: Vec<String>,
    /// Set if one of the chain ends within this many days.
    pub ends_soon: Option<String>,
}

/// Reads and checks the files as a start now would, and looks `days` ahead.
pub fn look(files: &TlsFiles, now: SystemTime, days: u32) -> anyhow::Result<Look> {
    let chain = load(files, now)?.chain;
    let own = EndEntityCert::try_from(&chain[0])?;
    let names = own.valid_dns_names().map(str::to_owned).collect();
    let later = now + Duration::from_secs(u64::from(days) * 86_400);
    let ends_soon = match find_invalid(&chain, later)? {
        Some((number, Invalid::Since(end))) => {
            Some(format!("certificate {number} expires on {}", date(end)))
        }
        _ => None,
    };
    Ok(Look { names, ends_soon })
}

fn read_certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(in_words)?;
    ensure!(!certificates.is_empty(), "holds no certificate");
    Ok(certificates)
}

fn read_key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|err| match err {
        pem::Error::NoItemsFound => anyhow!("holds no private key, or one locked by a password"),
        // As when the lines say how it is locked.
        pem::Error::Base64Decode(why) => {
            anyhow!("not PEM, or a key locked by a password: {why}")
        }
        err => in_words(err),
    })
}

fn in_words(err: pem::Error) -> anyhow::Error {
    match err {
        pem::Error::Io(err) => err.into(),
        err => anyhow!("not PEM: {err}"),
    }
}

/// Why a certificate is not valid at a time.
enum Invalid {
    Since(UnixTime),
    Until(UnixTime),
}

/// Whether each certificate of the chain is valid at this time.
fn check_validity(chain: &[CertificateDer], now: SystemTime) -> anyhow::Result<()> {
    match find_invalid(chain, now)? {
        Some((number, Invalid::Since(end))) => {
            bail!("certificate {number} expired on {}", date(end))
        }
        Some((number, Invalid::Until(begin))) => {
            bail!("certificate {number} is valid from {} on", date(begin))
        }
        None => Ok(()),
    }
}

/// The first certificate of the chain that is not valid at this time, by its number from 1.
fn find_invalid(
    chain: &[CertificateDer],
    at: SystemTime,
) -> anyhow::Result<Option<(usize, Invalid)>> {
    let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH)?);
    for (number, certificate) in (1..).zip(chain) {
        let parsed = EndEntityCert::try_from(certificate)
            .with_context(|| format!("certificate {number}"))?;
        // Trusting nobody, it always ends in an error, and the first look is at the validity.
        let checked =
            parsed.verify_for_usage(&[], &[], &[], at, KeyUsage::server_auth(), None, None);
        match checked {
            Err(webpki::Error::CertExpired { not_after, .. }) => {
                return Ok(Some((number, Invalid::Since(not_after))));
            }
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => {
                return Ok(Some((number, Invalid::Until(not_before))));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn date(time: UnixTime) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}
