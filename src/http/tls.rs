//! The server's certificate and key: read from PEM files, checked as far as can be before a client does it, and
//! exchanged for new ones while connections go on.

use std::fs;
use std::net::IpAddr;
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

/// What a check finds in files that a start would take.
pub struct Look {
    /// The host names and addresses that the certificate is for.
    pub names: Vec<String>,
    /// What somebody should see to.
    pub warning: Option<String>,
}

/// Reads and checks the files as a start now would, and looks `days` ahead.
pub fn look(files: &TlsFiles, now: SystemTime, days: u32) -> anyhow::Result<Look> {
    let chain = load(files, now)?.chain;
    let own = EndEntityCert::try_from(&chain[0])?;
    let names = own.valid_dns_names().map(str::to_owned);
    let addresses = addresses_of(&chain[0]).into_iter();
    let names: Vec<String> = names
        .chain(addresses.map(|address| address.to_string()))
        .collect();
    let later = now + Duration::from_secs(u64::from(days) * 86_400);
    let warning = match find_invalid(&chain, later)? {
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

/// The IP addresses among the alternative names, which no library at hand lists.
fn addresses_of(certificate: &[u8]) -> Vec<IpAddr> {
    let id = [0x06, 0x03, 0x55, 0x1d, 0x11];
    let place = certificate.windows(id.len()).position(|bytes| bytes == id);
    let Some(mut rest) = place.map(|place| &certificate[place + id.len()..]) else {
        return Vec::new();
    };
    // Whether it is critical may come first; then a text of octets that holds the list.
    let mut names: &[u8] = &[];
    while let Some((tag, value, after)) = element(rest) {
        rest = after;
        if tag == 0x04 {
            names = element(value).map_or(&[], |(_, list, _)| list);
            break;
        }
    }
    let mut addresses = Vec::new();
    while let Some((tag, value, after)) = element(names) {
        names = after;
        let v4 = || <[u8; 4]>::try_from(value).map(IpAddr::from);
        let v6 = || <[u8; 16]>::try_from(value).map(IpAddr::from);
        if tag == 0x87 {
            addresses.extend(v4().or_else(|_| v6()).ok());
        }
    }
    addresses
}

/// The tag and the value of the first element of DER, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length, rest) = match bytes {
        [tag, 0x81, length, rest @ ..] => (*tag, usize::from(*length), rest),
        [tag, 0x82, high, low, rest @ ..] => {
            (*tag, usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        [tag, length, rest @ ..] if *length < 0x80 => (*tag, usize::from(*length), rest),
        _ => return None,
    };
    let (value, after) = rest.split_at_checked(length)?;
    Some((tag, value, after))
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
        // As when the lines say how it is locked.
        pem::Error::Base64Decode(why) => {
            anyhow!("not PEM, or a key locked by a password: {why}")
        }
        err => in_words(err),
    })
}

/// The text without the byte order mark that some editors put before it.
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
            Err(webpki::Error::InvalidCertValidity) => {
                bail!("certificate {number} ends before it begins")
            }
            _ => {}
        }
    }
    Ok(None)
}

fn date(time: UnixTime) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}
