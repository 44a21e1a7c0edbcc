//! `make soak`: for ten minutes, or `MINUTES=…`, a server with TLS and users answers four clients from a ledger that an
//! import writes anew over and over, and reads its files again at SIGHUP. Any answer that is not what was asked for ends
//! it at once; at its end it must hold no more memory, threads and files than soon after its beginning. The program is
//! built for debugging, so that a number which overflows is an error.

use std::fs::File;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use fixtures::cloudstack::Cloud;
use fixtures::large_cloud::{BenchCloud, Size, account_uuid};
use fixtures::sandbox::Run;
use fixtures::server::{Answer, Client, Server};

const CLIENTS: usize = 4;

/// Between two questions of a client.
const PAUSE: Duration = Duration::from_millis(10);

/// Between two looks at the server, and between two signals.
const LOOK: Duration = Duration::from_secs(5);
const SIGNAL: Duration = Duration::from_secs(20);

const DAYS: [&str; 4] = ["-s", "2013-06-01", "-e", "2013-06-03"];

const SERVER: &str = "\n[server]\nbind = 127.0.0.1:0\nusers = users\ntls_certificate = server.pem\n\
                      tls_private_key = key.pem\n";

/// What the server holds.
struct Held {
    /// Resident memory.
    kibibytes: u64,
    threads: u64,
    files: usize,
}

fn main() {
    let minutes = std::env::var("MINUTES").map_or(10.0, |text| text.parse().expect("a number"));
    let time = Duration::from_secs_f64(minutes * 60.0);
    let database = fixtures::mariadb::Server::start_with(&["--innodb-buffer-pool-size=256M"]);
    let bench = BenchCloud::build(&database, Size::S);
    let cloud = &bench.cloud;
    cloud.configure("GMT", SERVER);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&[&["import"][..], &DAYS].concat()).exits(0);
    let certificate = write_files(cloud);
    let server = Server::start(&cloud.sandbox);

    let (over, times) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let (imports, looks) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (server, certificate, over, times) = (&server, &certificate, &over, &times);
                scope.spawn(move || ask(server, certificate, number, over, times))
            })
            .collect();
        // Whatever happens here, the clients must come to their end.
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            import_over_and_over(cloud, &server, time, &clients)
        }));
        over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("a client was answered to the end");
        }
        looked.expect("imports went on to the end")
    });
    server.signal("TERM");
    let end = server.end().exits(0);
    assert!(!end.stderr.contains("panicked"), "{end}");
    report(
        times.into_inner().expect("all clients ended well"),
        imports,
        &looks,
    );
}

/// Tells what was measured, and fails if the server has grown.
fn report(mut times: Vec<Duration>, imports: usize, looks: &[Held]) {
    times.sort_unstable();
    let of = |share: usize| times[(times.len() - 1) * share / 1000].as_secs_f64() * 1e3;
    println!(
        "requests {}, errors 0, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, longest {:.1} ms",
        times.len(),
        of(500),
        of(990),
        of(999),
        of(1000)
    );
    println!("imports that overwrote: {imports}");
    // The first quarter is for caches to fill.
    let quarter = looks.len() / 4;
    assert!(quarter > 0, "too short to tell anything");
    let begin = most(&looks[quarter..2 * quarter]);
    let end = most(&looks[looks.len() - quarter..]);
    println!(
        "held, second quarter of the time → last one: memory {} → {} KiB, threads {} → {}, files {} → {}",
        begin.kibibytes, end.kibibytes, begin.threads, end.threads, begin.files, end.files
    );
    assert!(
        end.kibibytes <= begin.kibibytes * 11 / 10 + 4096,
        "memory has grown"
    );
    // A connection that ends may overlap with the one in its place.
    assert!(end.threads <= begin.threads + 2, "threads have grown");
    assert!(end.files <= begin.files + 4, "files have grown");
}

fn most(looks: &[Held]) -> Held {
    let most = |of: fn(&Held) -> u64| looks.iter().map(of).max().expect("a look");
    Held {
        kibibytes: most(|held| held.kibibytes),
        threads: most(|held| held.threads),
        files: looks.iter().map(|held| held.files).max().expect("a look"),
    }
}

/// Changes rows of the source and has them imported, until the time is over or a client has ended.
fn import_over_and_over(
    cloud: &Cloud,
    server: &Server,
    time: Duration,
    clients: &[ScopedJoinHandle<()>],
) -> (usize, Vec<Held>) {
    let began = Instant::now();
    let (mut looked, mut signalled) = (began, began);
    let (mut imports, mut looks) = (0, Vec::new());
    while began.elapsed() < time && !clients.iter().any(ScopedJoinHandle::is_finished) {
        cloud.usage(&format!(
            "update cloud_usage set raw_usage = if(raw_usage < 24, 24, 23) \
             where usage_type = 1 and id % 100 = {}",
            imports % 100
        ));
        let words = [&["import", "-f"][..], &DAYS].concat();
        cloud.run(&words).exits(0);
        imports += 1;
        if signalled.elapsed() >= SIGNAL {
            server.signal("HUP");
            signalled = Instant::now();
        }
        if looked.elapsed() >= LOOK {
            looks.push(look(server));
            looked = Instant::now();
        }
    }
    (imports, looks)
}

fn look(server: &Server) -> Held {
    let files = format!("/proc/{}/fd", server.status("Pid"));
    let files = std::fs::read_dir(files).expect("list the server's files");
    Held {
        kibibytes: server.status("VmRSS"),
        threads: server.status("Threads"),
        files: files.count(),
    }
}

/// One client: asks for this and that until it is over.
fn ask(
    server: &Server,
    certificate: &CertificateDer<'static>,
    number: usize,
    over: &AtomicBool,
    times: &Mutex<Vec<Duration>>,
) {
    let credentials = STANDARD.encode("boss:secret");
    let mut client = connect(server, certificate);
    let mut mine = Vec::new();
    for turn in number.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let uuid = account_uuid(u32::try_from(turn % 100).expect("few") + 1);
        let (target, expected) = match turn % 8 {
            0 => ("/healthz".to_owned(), "alive"),
            1 => (
                format!("/v1/accounts/{uuid}/usage?start=2013-06-01&end=2013-06-03"),
                "\"complete\":true",
            ),
            2 => (
                "/v1/usage?start=2013-06-01&end=2013-06-03&metric=vm_running".to_owned(),
                "\"complete\":true",
            ),
            3 => ("/v1/days?month=2013-06".to_owned(), "\"closed\""),
            4 => ("/v1/corrections?limit=100".to_owned(), "\"corrections\""),
            5 => ("/metrics".to_owned(), "rbc_usage_build_info"),
            _ => (
                format!("/usage/{uuid}?start=2013-06-01&end=2013-06-03"),
                "\"complete\":true",
            ),
        };
        let began = Instant::now();
        client.send_bytes(&format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\r\n"
        ));
        let answer = client.receive("GET");
        mine.push(began.elapsed());
        assert!(is_right(&answer, expected), "{target}: {answer:?}");
        if answer.header("connection") == Some("close") {
            client = connect(server, certificate);
        }
        std::thread::sleep(PAUSE);
    }
    times.lock().expect("no client has failed").extend(mine);
}

/// JSON comes with blanks, where people read it, and without.
fn is_right(answer: &Answer, expected: &str) -> bool {
    let body = answer.body.replace("\": ", "\":");
    answer.status == 200 && body.contains(expected)
}

fn connect(
    server: &Server,
    certificate: &CertificateDer<'static>,
) -> Client<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let stream = TcpStream::connect(&server.address).expect("connect to the server");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("set a time-out");
    Client::over(StreamOwned::new(session, stream))
}

/// The server's certificate and users, from the configuration's folder.
fn write_files(cloud: &Cloud) -> CertificateDer<'static> {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("self-signed").pem();
    cloud.sandbox.write("server.pem", &certificate);
    cloud.sandbox.write("key.pem", &key.serialize_pem());
    cloud.sandbox.write("users", "");
    cloud.sandbox.write("password", "secret\n");
    let words = ["passwd", "--stdin", "--cost", "5", "users", "boss"];
    let password = File::open(cloud.sandbox.path("password")).expect("the password");
    Run::of(cloud.sandbox.command(&words).stdin(password)).exits(0);
    CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate")
}
