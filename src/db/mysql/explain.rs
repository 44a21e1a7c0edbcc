//! The driver's errors in words an operator can act on. None of them holds a password.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::anyhow;
use rustls::CertificateError;

use crate::config::MysqlTls;
use crate::db::transient::Transient;
use crate::plural::plural;

/// The server's errors for a transaction that another one was in the way of: a lock waited for in vain, a deadlock, or a
/// write set that another node of the cluster was quicker than.
const CONFLICTS: [u16; 2] = [1205, 1213];

/// Its errors where it cannot serve for a while: a node outside the cluster's majority, or one that has left it during a
/// commit, a server that is being shut down or that may not write.
const UNREADY: [u16; 6] = [1047, 1053, 1180, 1290, 1927, 3032];

/// The input or output error behind a driver's error, if that is what it is.
pub fn io_kind(err: &mysql::Error) -> Option<ErrorKind> {
    match err {
        mysql::Error::IoError(io) => Some(io.kind()),
        mysql::Error::CodecError(codec) => {
            let source = std::error::Error::source(codec)?;
            source.downcast_ref().map(std::io::Error::kind)
        }
        _ => None,
    }
}

/// What is wrong with the encryption, if that is what it is.
pub fn tls_error(err: &mysql::Error) -> Option<&rustls::Error> {
    let io = match err {
        mysql::Error::IoError(io) => io,
        mysql::Error::CodecError(codec) => std::error::Error::source(codec)?.downcast_ref()?,
        _ => return None,
    };
    io.get_ref()?.downcast_ref()
}

pub fn tls_in_words(err: &rustls::Error, tls: &MysqlTls, host: &str) -> String {
    let rustls::Error::InvalidCertificate(why) = err else {
        return err.to_string();
    };
    match (why, tls) {
        (
            CertificateError::UnknownIssuer,
            MysqlTls::Verified {
                authority: Some(file),
            },
        ) => format!(
            "the server's certificate is signed by no authority of ssl_ca {} and by no public one",
            file.display()
        ),
        (CertificateError::UnknownIssuer, _) => {
            "the server's certificate is signed by no public authority: name its \
             own one by ssl_ca=FILE"
                .to_owned()
        }
        (
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            _,
        ) => {
            format!("the server's certificate is not for the name {host}")
        }
        (CertificateError::Expired | CertificateError::ExpiredContext { .. }, _) => {
            "the server's certificate has expired".to_owned()
        }
        (why, _) => format!("the server's certificate: {why}"),
    }
}

/// The driver's error in words an operator can act on. None of them holds a password.
pub fn explain(err: mysql::Error, read_timeout: Duration) -> anyhow::Error {
    match io_kind(&err) {
        Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            let seconds = plural(read_timeout.as_secs(), "second");
            return Transient::loss(format!("no answer within {seconds}"));
        }
        // The driver makes an error of no kind of its own when a packet breaks off.
        Some(
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::Other,
        ) => {
            return Transient::loss("the server closed the connection".to_owned());
        }
        Some(_) | None => {}
    }
    match err {
        mysql::Error::MySqlError(err) => {
            let message = format!("{} (error {})", err.message, err.code);
            match err.code {
                code if CONFLICTS.contains(&code) => Transient::conflict(message),
                code if UNREADY.contains(&code) => Transient::loss(message),
                _ => anyhow!(message),
            }
        }
        mysql::Error::IoError(io) => anyhow!("{io}"),
        mysql::Error::TlsError(tls) => anyhow!("TLS: {tls}"),
        mysql::Error::DriverError(driver) => anyhow!("{driver}"),
        mysql::Error::CodecError(codec) => match std::error::Error::source(&codec) {
            Some(source) => anyhow!("{source}"),
            None => anyhow!("{codec}"),
        },
        mysql::Error::UrlError(_)
        | mysql::Error::FromValueError(_)
        | mysql::Error::FromRowError(_) => {
            anyhow!("the server's answer is not what was asked for")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_certificate_that_is_refused_is_told_in_words() {
        let tls = MysqlTls::Verified {
            authority: Some(PathBuf::from("/etc/ca.pem")),
        };
        for (why, words) in [
            (
                CertificateError::UnknownIssuer,
                "the server's certificate is signed by no authority of ssl_ca /etc/ca.pem and by no public one",
            ),
            (
                CertificateError::NotValidForName,
                "the server's certificate is not for the name db.example.com",
            ),
            (
                CertificateError::Expired,
                "the server's certificate has expired",
            ),
            (
                CertificateError::Revoked,
                "the server's certificate: Revoked",
            ),
        ] {
            let err = rustls::Error::InvalidCertificate(why);
            assert_eq!(tls_in_words(&err, &tls, "db.example.com"), words);
        }
    }
}
