//! Encryption: every kind of key and both versions with two clients, new certificates at SIGHUP, and what is said of
//! files that cannot be used.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use super::{connect, sandbox, target};
use crate::sandbox::{Run, Sandbox};
use crate::server::Server;

const FILES: &str = "tls_certificate = server.pem\ntls_private_key = key.pem";

/// Deadlines that a test can wait for.
const SOON: &str = "handshake_timeout = 1\nheader_timeout = 1";

const RSA: &str = include_str!("keys/rsa-pkcs8.pem");
const RSA_OLD_FORM: &str = include_str!("keys/rsa-pkcs1.pem");
pub const EC: &str = include_str!("keys/ec-pkcs8.pem");
const EC_OLD_FORM: &str = include_str!("keys/ec-sec1.pem");
/// Of a curve that cannot be used, with its certificate.
const P521: &str = include_str!("keys/ec-p521.pem");
const P521_CERTIFICATE: &str = include_str!("keys/ec-p521-certificate.pem");
const RSA_SHORT: &str = include_str!("keys/rsa-1024.pem");
const EC_LOCKED: &str = include_str!("keys/ec-locked.pem");

pub type Client = StreamOwned<ClientConnection, TcpStream>;

fn valid_for_years(first: i32, last: i32) -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(first, 1, 1);
    params.not_after = rcgen::date_time_ymd(last, 1, 1);
    params
}

/// Writes a certificate of this key as the server's.
fn install_certificate(sandbox: &Sandbox, key: &str, params: CertificateParams) {
    let pair = KeyPair::from_pem(key).unwrap();
    sandbox.write("server.pem", &params.self_signed(&pair).unwrap().pem());
    sandbox.write("key.pem", key);
}

/// A server with a certificate of this key.
fn start_encrypted(key: &str) -> (Sandbox, Server) {
    start_encrypted_with(key, SOON)
}

/// The same, with these lines in `[server]`.
pub fn start_encrypted_with(key: &str, lines: &str) -> (Sandbox, Server) {
    let sandbox = sandbox(&format!("{FILES}\n{lines}"));
    install_certificate(&sandbox, key, valid_for_years(2020, 2100));
    let server = Server::start(&sandbox);
    (sandbox, server)
}

fn certificate(sandbox: &Sandbox) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(sandbox.path("server.pem")).unwrap()
}

/// A client that trusts the certificate in the sandbox and speaks one version.
pub fn client(
    sandbox: &Sandbox,
    server: &Server,
    version: &'static SupportedProtocolVersion,
) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(sandbox)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = "localhost".try_into().unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = connect(server);
    // As clients do: or a request waits until the end of the handshake, just sent, is acknowledged.
    stream.set_nodelay(true).unwrap();
    StreamOwned::new(session, stream)
}

/// Asks and reads one answer, whose body follows in one piece with its head or later.
fn ask(client: &mut Client) -> String {
    let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", target());
    client.write_all(request.as_bytes()).unwrap();
    read(client)
}

fn read(client: &mut Client) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"}\n") {
        assert_eq!(
            client.read(&mut byte).unwrap(),
            1,
            "{}",
            String::from_utf8_lossy(&answer)
        );
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

fn curl(sandbox: &Sandbox, server: &Server, words: &[&str]) -> Run {
    let port = server.address.rsplit(':').next().unwrap();
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "30", "--cacert"]);
    command.arg(sandbox.path("server.pem")).args(words);
    command
        .arg("--connect-to")
        .arg(format!("localhost:{port}:127.0.0.1:{port}"));
    command.arg(format!("https://localhost:{port}{}", target()));
    Run::of(&mut command)
}

#[test]
fn every_kind_of_key_and_both_versions_serve_both_clients() {
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519)
        .unwrap()
        .serialize_pem();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)
        .unwrap()
        .serialize_pem();
    for key in [RSA, EC, &ed25519, &p384] {
        let (sandbox, server) = start_encrypted(key);
        for version in [&TLS12, &TLS13] {
            let mut client = client(&sandbox, &server, version);
            for _ in 0..2 {
                let answer = ask(&mut client);
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            }
            assert_eq!(client.conn.protocol_version(), Some(version.version));
            assert_eq!(client.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        }
        for words in [
            ["--tlsv1.2", "--tls-max", "1.2"],
            ["--tlsv1.3", "--tls-max", "1.3"],
        ] {
            let run = curl(&sandbox, &server, &words).exits(0);
            assert!(run.stdout.contains("\"timezone\":\"GMT\""), "{run}");
        }
    }
}

#[test]
fn older_forms_of_keys_are_read() {
    for (key, old_form) in [(RSA, RSA_OLD_FORM), (EC, EC_OLD_FORM)] {
        let sandbox = sandbox(FILES);
        install_certificate(&sandbox, key, valid_for_years(2020, 2100));
        sandbox.write("key.pem", old_form);
        let server = Server::start(&sandbox);
        curl(&sandbox, &server, &[]).exits(0);
    }
}

#[test]
fn older_versions_are_refused() {
    let (sandbox, server) = start_encrypted(EC);
    // OpenSSL itself refuses the old versions unless it is told to lower its own guard.
    let old = [
        "--tlsv1.0",
        "--tls-max",
        "1.1",
        "--ciphers",
        "DEFAULT@SECLEVEL=0",
    ];
    curl(&sandbox, &server, &old).exits(35);
    curl(&sandbox, &server, &[]).exits(0);
    server.says("127.0.0.1: TLS handshake: ");
}

#[test]
fn a_new_certificate_comes_with_sighup_and_cuts_nothing() {
    let (sandbox, server) = start_encrypted(EC);
    let mut old = client(&sandbox, &server, &TLS13);
    assert!(ask(&mut old).contains(" 200 OK"));
    let shown = |client: &Client| {
        client.conn.peer_certificates().unwrap()[0]
            .clone()
            .into_owned()
    };
    assert_eq!(shown(&old), certificate(&sandbox));
    let ends = |second: &str| {
        let port = server.address.rsplit(':').next().unwrap();
        let metrics = format!("https://localhost:{port}/metrics");
        let told = curl(&sandbox, &server, &[&metrics]).exits(0).stdout;
        let line = format!("\nrbc_usage_certificate_end_timestamp_seconds {second}\n");
        assert!(told.contains(&line), "{told}");
    };
    // 1 January 2100, by the clock of `date -u -d 2100-01-01 +%s`.
    ends("4102444800");

    // One that cannot be used changes nothing.
    sandbox.write("key.pem", RSA);
    server.signal("HUP");
    server.says("SIGHUP: the old certificate stays: server.tls_private_key: ./key.pem is not the key of the certificate");
    sandbox.write("key.pem", EC);
    let mut same = client(&sandbox, &server, &TLS13);
    assert!(ask(&mut same).contains(" 200 OK"));

    install_certificate(&sandbox, RSA, valid_for_years(2021, 2101));
    server.signal("HUP");
    server.says("SIGHUP: reloaded the certificate\n");
    ends("4133980800");
    let mut new = client(&sandbox, &server, &TLS12);
    assert!(ask(&mut new).contains(" 200 OK"));
    assert_eq!(shown(&new), certificate(&sandbox));
    assert_ne!(shown(&new), shown(&old));
    assert!(ask(&mut old).contains(" 200 OK"));
    assert!(ask(&mut same).contains(" 200 OK"));
    server.signal("TERM");
    server.end().exits(0);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let sandbox = sandbox(FILES);
    let good = || install_certificate(&sandbox, EC, valid_for_years(2020, 2100));
    let says = |message: &str| {
        let stderr = format!("rbc-usage: {message}\n");
        sandbox.run(&["serve"]).exits(2).complains(&stderr);
    };
    good();
    sandbox.write("key.pem", RSA);
    says("server.tls_private_key: ./key.pem is not the key of the certificate ./server.pem");
    sandbox.write("key.pem", EC_LOCKED);
    says("server.tls_private_key: ./key.pem: holds no private key, or one locked by a password");
    sandbox.write("key.pem", "");
    says("server.tls_private_key: ./key.pem: holds no private key, or one locked by a password");
    let unusable = "server.tls_private_key: ./key.pem: no key of a kind that can be used: RSA of 2048 to 4096 bits, \
                    elliptic curve P-256 or P-384, Ed25519";
    sandbox.write("key.pem", RSA_SHORT);
    says(unusable);
    sandbox.write("key.pem", P521);
    sandbox.write("server.pem", P521_CERTIFICATE);
    says(unusable);
    let check = sandbox.run(&["check"]).exits(2);
    assert!(check.stdout.contains(unusable), "{check}");
    good();
    std::fs::remove_file(sandbox.path("key.pem")).unwrap();
    says("server.tls_private_key: ./key.pem: No such file or directory (os error 2)");
    install_certificate(&sandbox, EC, valid_for_years(2020, 2021));
    says(
        "server.tls_certificate: ./server.pem: certificate 1 expired on Fri, 01 Jan 2021 00:00:00 GMT",
    );
    install_certificate(&sandbox, EC, valid_for_years(2090, 2100));
    says(
        "server.tls_certificate: ./server.pem: certificate 1 is valid from Sun, 01 Jan 2090 00:00:00 GMT on",
    );
    good();
    let whole = std::fs::read_to_string(sandbox.path("server.pem")).unwrap();
    install_certificate(&sandbox, EC, valid_for_years(2020, 2021));
    let expired = std::fs::read_to_string(sandbox.path("server.pem")).unwrap();
    sandbox.write("server.pem", &(whole.clone() + &expired));
    says(
        "server.tls_certificate: ./server.pem: certificate 2 expired on Fri, 01 Jan 2021 00:00:00 GMT",
    );
    sandbox.write("server.pem", EC);
    says("server.tls_certificate: ./server.pem: holds no certificate");
    sandbox.write("server.pem", &whole[..whole.len() / 2]);
    let run = sandbox.run(&["serve"]).exits(2);
    assert!(
        run.stderr
            .starts_with("rbc-usage: server.tls_certificate: ./server.pem: not PEM: "),
        "{run}"
    );
    std::fs::remove_file(sandbox.path("server.pem")).unwrap();
    says("server.tls_certificate: ./server.pem: No such file or directory (os error 2)");

    let half = super::sandbox("tls_certificate = server.pem");
    let stderr =
        "rbc-usage: ./cloudusage.cfg: server.tls_private_key: missing beside tls_certificate\n";
    half.run(&["serve"]).exits(2).complains(stderr);
}

#[test]
fn the_wrong_protocol_for_the_port_is_told() {
    let (encrypted_sandbox, encrypted) = start_encrypted(EC);
    let mut plain = connect(&encrypted);
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("this port speaks TLS: write https"),
        "{answer}"
    );

    let plain_sandbox = sandbox("");
    let plain = Server::start(&plain_sandbox);
    curl(&encrypted_sandbox, &plain, &[]).exits(35);
    plain.says("400 ");
    assert_eq!(plain.get(&target()).status, 200);
    curl(&encrypted_sandbox, &encrypted, &[]).exits(0);
}

#[test]
fn limits_hold_behind_encryption_too() {
    let (sandbox, server) = start_encrypted(EC);
    // Who does not shake hands is cut off at the deadline, whether silent or slow.
    let mut silent = connect(&server);
    let mut slow = connect(&server);
    slow.write_all(&[0x16, 3, 1, 2, 0]).unwrap();
    let began = Instant::now();
    for stream in [&mut silent, &mut slow] {
        let mut waste = Vec::new();
        // Cut off with its bytes unread, it may see a reset.
        let _ = stream.read_to_end(&mut waste);
    }
    assert!(began.elapsed() > Duration::from_millis(900));
    server.says("127.0.0.1: TLS handshake: took too long\n");

    let mut late = client(&sandbox, &server, &TLS13);
    late.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    assert!(read(&mut late).starts_with("HTTP/1.1 408 "));
    // The end of the encryption is announced, so nobody can have cut anything.
    assert_eq!(late.read(&mut [0]).unwrap(), 0);

    let mut long = client(&sandbox, &server, &TLS12);
    long.write_all(format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(100_000)).as_bytes())
        .unwrap();
    assert!(read(&mut long).starts_with("HTTP/1.1 431 "));

    let mut client = client(&sandbox, &server, &TLS13);
    let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", target());
    client.write_all(request.repeat(50).as_bytes()).unwrap();
    for _ in 0..50 {
        assert!(read(&mut client).contains(" 200 OK"));
    }
}

#[test]
fn an_address_with_too_many_connections_is_told_so_encrypted() {
    let sandbox = sandbox(&format!("{FILES}\nmax_connections_per_address = 1"));
    install_certificate(&sandbox, EC, valid_for_years(2020, 2100));
    let server = Server::start(&sandbox);
    let mut first = client(&sandbox, &server, &TLS13);
    assert!(ask(&mut first).contains(" 200 OK"));
    let mut second = client(&sandbox, &server, &TLS13);
    second.flush().unwrap();
    assert!(read(&mut second).starts_with("HTTP/1.1 429 "));
}

/// An answer longer than one record of TLS, and than what a socket takes at once.
#[test]
fn a_long_answer_arrives_whole() {
    let (sandbox, server) = start_encrypted(EC);
    let client = client(&sandbox, &server, &TLS13);
    let mut client = BufReader::new(client);
    let ten_years = format!("{}&end=2023-04-01", target());
    let request = format!("GET {ten_years} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.get_mut().write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(
        answer.ends_with("\"vm_running\":[]}\n"),
        "{} bytes",
        answer.len()
    );
    assert!(answer.len() > 47_000);
}
