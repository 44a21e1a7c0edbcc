//! Takes `mysql://` URIs apart as SQLAlchemy does, because old files hold them: a password may contain any
//! character as it is, for it ends at the last `@` of the URI.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::decoded::decoded;

#[derive(Clone, Debug, PartialEq)]
pub struct MysqlUri {
    pub user: String,
    /// Empty: none was given.
    pub password: Password,
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
    /// Used instead of host and port when set; `tls` is off then.
    pub socket: Option<PathBuf>,
    pub database: String,
    pub tls: MysqlTls,
}

/// How the connection to MySQL is encrypted.
#[derive(Clone, Debug, PartialEq)]
pub enum MysqlTls {
    Off,
    /// Encrypted, the server's certificate not checked (`?ssl=skip-verify`).
    Unverified,
    /// Encrypted; certificate and host name checked against the public authorities built into the
    /// program and those of the named file.
    Verified {
        authority: Option<PathBuf>,
    },
}

/// A password that no `Debug` or `Display` shows.
#[derive(Clone, PartialEq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for MysqlUri {
    /// `user@host:port/database`: enough to know which one it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, database) = (&self.user, &self.database);
        match &self.socket {
            Some(socket) => write!(f, "{user}@{}/{database}", socket.display()),
            None if self.host.contains(':') => {
                write!(f, "{user}@[{}]:{}/{database}", self.host, self.port)
            }
            None => write!(f, "{user}@{}:{}/{database}", self.host, self.port),
        }
    }
}

/// Takes what follows `mysql://`: `user:password@host:port/database?parameters`.
pub fn parse(rest: &str, folder: &Path) -> anyhow::Result<MysqlUri> {
    let (login, place) = rest
        .rsplit_once('@')
        .context("names no user: write mysql://user:password@host/database")?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    ensure!(
        !user.is_empty(),
        "names no user: write mysql://user:password@host/database"
    );
    ensure!(
        !place.contains([' ', '\t']),
        "a blank after the last @ (write one in a name as %20)"
    );
    let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
    let (address, database) = place
        .split_once('/')
        .filter(|(_, database)| !database.is_empty())
        .context("names no database: write mysql://user:password@host/database")?;
    let password = decoded(password)?;
    ensure!(
        !(password.starts_with("ENC(") && password.ends_with(')')),
        "the password is the encrypted ENC(…) of CloudStack's db.properties, which only CloudStack can decrypt: \
         make a user that may only read, and write its password as it is"
    );
    let (host, port) = parse_address(address)?;
    let (socket, tls) = parse_parameters(parameters, folder)?;
    Ok(MysqlUri {
        user: decoded(user)?,
        password: Password(password),
        host,
        port,
        socket,
        database: decoded(database)?,
        tls,
    })
}

/// Reads `host`, `host:port`, `[IPv6]` or `[IPv6]:port`; no host at all is this machine.
fn parse_address(address: &str) -> anyhow::Result<(String, u16)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(bracketed) => {
            let (ip, rest) = bracketed.split_once(']').unwrap_or((bracketed, "?"));
            let ip: Ipv6Addr = ip.parse().context("not an IPv6 address in the brackets")?;
            let port = rest.strip_prefix(':');
            ensure!(
                port.is_some() || rest.is_empty(),
                "after an IPv6 address in brackets comes :port or the database"
            );
            (ip.to_string(), port)
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (address.to_owned(), None),
        },
    };
    let of_a_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    ensure!(host.chars().all(of_a_host), "not a host after the last @");
    let port = port.map_or(Some(3306), |text| {
        text.parse().ok().filter(|port| *port != 0)
    });
    let port = port.context(
        "the port is not a number from 1 to 65535 (an IPv6 address is written in brackets)",
    )?;
    let named = !host.is_empty();
    Ok((if named { host } else { "localhost".to_owned() }, port))
}

fn parse_parameters(text: &str, folder: &Path) -> anyhow::Result<(Option<PathBuf>, MysqlTls)> {
    let (mut socket, mut authority, mut tls) = (None, None, None);
    for parameter in text.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let path = || match decoded(value)? {
            path if path.is_empty() => bail!("parameter {name} names no file"),
            path => Ok(folder.join(path)),
        };
        let repeated = match name {
            // The drivers of the old programs needed them to decode text; here it is always UTF-8.
            "charset" | "use_unicode" => false,
            "unix_socket" => socket.replace(path()?).is_some(),
            "ssl_ca" => authority.replace(path()?).is_some(),
            "ssl" => tls.replace(parse_ssl(value)?).is_some(),
            _ => bail!(
                "unknown parameter {name:?}; there are charset, use_unicode, unix_socket, ssl_ca and ssl"
            ),
        };
        ensure!(!repeated, "parameter {name} is there twice");
    }
    if let Some(path) = &authority
        && !matches!(tls, Some(MysqlTls::Off | MysqlTls::Unverified))
    {
        check_authority(path).with_context(|| format!("ssl_ca {}", path.display()))?;
    }
    let tls = match (tls, authority) {
        (None, None) => MysqlTls::Off,
        (Some(tls), None) => tls,
        (None | Some(MysqlTls::Verified { .. }), authority) => MysqlTls::Verified { authority },
        (Some(MysqlTls::Off | MysqlTls::Unverified), Some(_)) => {
            bail!("ssl_ca asks for a checked certificate, ssl for none: give one of them")
        }
    };
    ensure!(
        socket.is_none() || tls == MysqlTls::Off,
        "a unix_socket is never encrypted: leave out ssl and ssl_ca"
    );
    Ok((socket, tls))
}

/// Looks into the file now, because the driver's error would not name it.
fn check_authority(path: &Path) -> anyhow::Result<()> {
    let text = std::fs::read(path)?;
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|err| anyhow!("not PEM: {err}"))?;
        let number = authorities.len() + 1;
        authorities
            .add(certificate)
            .with_context(|| format!("certificate {number} cannot be used"))?;
    }
    ensure!(!authorities.is_empty(), "holds no certificate in PEM");
    Ok(())
}

fn parse_ssl(value: &str) -> anyhow::Result<MysqlTls> {
    match value {
        "true" | "required" | "verify" => Ok(MysqlTls::Verified { authority: None }),
        "skip-verify" => Ok(MysqlTls::Unverified),
        "false" => Ok(MysqlTls::Off),
        _ => bail!("parameter ssl is none of true, required, verify, skip-verify and false"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SourceUri, parse_source};
    use super::*;

    fn mysql(text: &str) -> MysqlUri {
        match parse_source(text, Path::new("/etc")).unwrap() {
            SourceUri::Mysql(uri) => uri,
            SourceUri::Sqlite(path) => panic!("{}", path.display()),
        }
    }

    #[test]
    fn takes_a_whole_uri_apart() {
        let expected = MysqlUri {
            user: "cloud".to_owned(),
            password: Password("secret".to_owned()),
            host: "db.example.com".to_owned(),
            port: 3307,
            socket: None,
            database: "cloud_usage".to_owned(),
            tls: MysqlTls::Off,
        };
        for scheme in ["mysql", "mysql+mysqldb", "mysql+pymysql", "mariadb"] {
            for tail in ["", "?charset=utf8", "?charset=utf8mb4&use_unicode=0"] {
                let text = format!("{scheme}://cloud:secret@db.example.com:3307/cloud_usage{tail}");
                assert_eq!(mysql(&text), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_password_holds_any_character() {
        for (written, meant) in [
            ("p#a?s/s:w&o=r;d", "p#a?s/s:w&o=r;d"),
            ("p@ss@", "p@ss@"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("a+b c", "a+b c"),
            ("%40%2F%25%3a", "@/%:"),
            ("\"$HOME'\\", "\"$HOME'\\"),
            ("p%C3%A5", "på"),
            ("på", "på"),
            ("[x]", "[x]"),
            ("", ""),
        ] {
            let uri = mysql(&format!("mysql://cloud:{written}@h/db?charset=utf8"));
            assert_eq!((uri.password.0.as_str(), uri.host.as_str()), (meant, "h"));
        }
        assert_eq!(mysql("mysql://cloud@h/db").password.0, "");
        assert_eq!(mysql("mysql://do%3Amain%40x:p@h/db").user, "do:main@x");
    }

    proptest::proptest! {
        #[test]
        fn any_password_can_be_written(password in "\\PC*") {
            let all = percent_encoding::NON_ALPHANUMERIC;
            let encoded = percent_encoding::utf8_percent_encode(&password, all);
            let uri = mysql(&format!("mysql://u:{encoded}@h/db"));
            proptest::prop_assert_eq!(&uri.password.0, &password);
            let raw = password.replace('%', "%25");
            let uri = mysql(&format!("mysql://u:{raw}@h/db"));
            proptest::prop_assert_eq!(&uri.password.0, &password);
        }

        #[test]
        fn no_text_is_too_odd_to_refuse(text in "\\PC*") {
            let tail = text.replace('@', "");
            for uri in [text, format!("mysql://{tail}"), format!("mysql://u:p@{tail}")] {
                // Whether it is refused or not: it does not panic.
                let _ = parse_source(&uri, Path::new("/etc"));
            }
        }
    }

    #[test]
    fn reads_every_form_of_address() {
        for (address, host, port) in [
            ("h", "h", 3306),
            ("10.0.0.1:3307", "10.0.0.1", 3307),
            ("[::1]", "::1", 3306),
            ("[2001:db8::1]:3307", "2001:db8::1", 3307),
            ("", "localhost", 3306),
        ] {
            let uri = mysql(&format!("mysql://u:p@{address}/db"));
            assert_eq!((uri.host.as_str(), uri.port), (host, port));
        }
    }

    #[test]
    fn reads_socket_and_encryption() {
        let socket = mysql("mysql://u:p@/db?unix_socket=/run/mysqld/my%20sql.sock").socket;
        assert_eq!(socket, Some(PathBuf::from("/run/mysqld/my sql.sock")));
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        let parsed = |tail: &str| parse(&format!("u:p@h/db?{tail}"), folder.path());
        let certificate = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
        file("ca.pem", &certificate.cert.pem());
        let authority = Some(folder.path().join("ca.pem"));
        for tail in ["ssl_ca=ca.pem", "ssl=true&ssl_ca=ca.pem"] {
            let authority = authority.clone();
            assert_eq!(parsed(tail).unwrap().tls, MysqlTls::Verified { authority });
        }
        file("empty.pem", "");
        file("text.pem", "not a certificate\n");
        file("key.pem", &certificate.signing_key.serialize_pem());
        let pem = |base64: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
        };
        file("spoilt.pem", &pem("not base64!"));
        file("other.pem", &(certificate.cert.pem() + &pem("AAAA")));
        for (name, said) in [
            ("empty.pem", "holds no certificate in PEM"),
            ("text.pem", "holds no certificate in PEM"),
            ("key.pem", "holds no certificate in PEM"),
            ("spoilt.pem", "not PEM: "),
            ("other.pem", "certificate 2 cannot be used: "),
            ("gone.pem", "No such file"),
        ] {
            let err = format!("{:#}", parsed(&format!("ssl_ca={name}")).unwrap_err());
            let start = format!("ssl_ca {}: {said}", folder.path().join(name).display());
            assert!(err.starts_with(&start), "{err}");
        }
        for (parameters, tls) in [
            ("ssl=false", MysqlTls::Off),
            ("ssl=skip-verify", MysqlTls::Unverified),
            ("ssl=true", MysqlTls::Verified { authority: None }),
            ("ssl=required", MysqlTls::Verified { authority: None }),
            (
                "ssl=verify&charset=utf8",
                MysqlTls::Verified { authority: None },
            ),
        ] {
            assert_eq!(mysql(&format!("mysql://u:p@h/db?{parameters}")).tls, tls);
        }
    }

    #[test]
    fn prints_without_the_password() {
        let uri = mysql("mysql://cloud:s3cret@[::1]/db?ssl=true");
        assert_eq!(uri.to_string(), "cloud@[::1]:3306/db");
        assert!(!format!("{uri:?}").contains("s3cret"));
        let uri = mysql("mysql://cloud:s3cret@/db?unix_socket=/s");
        assert_eq!(SourceUri::Mysql(uri).to_string(), "cloud@/s/db");
    }
}
