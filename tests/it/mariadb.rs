//! A private MariaDB server: own temporary folder, own unix socket, own port on loopback, its own
//! certificate. One is shared by all tests of a run (`shared`); a test that wants to stop or freeze
//! its server starts another one.
//!
//! A static is never dropped and a killed test runs no destructor, so the server is the child of a
//! small shell that reads a pipe only this process holds. However this process ends, the pipe closes:
//! the shell ends the server and removes the folder.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};

/// Starting takes about a second; a loaded machine is given this much.
const PATIENCE: Duration = Duration::from_secs(60);

/// Small buffers, and nothing that only makes data survive a power cut.
const QUICK: [&str; 8] = [
    "--debug-no-sync",
    "--skip-innodb-doublewrite",
    "--skip-innodb-use-native-aio",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=64M",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=1M",
];

/// Runs the server given as arguments after the folder; ends it when stdin does.
const WATCHDOG: &str = r#"
folder=$1
shift
"$@" </dev/null >"$folder/log" 2>&1 &
server=$!
echo "$server" >"$folder/pid"
cat >/dev/null
kill -9 "$server"
wait "$server" 2>/dev/null
rm -rf "$folder"
"#;

/// A running server.
pub struct Server {
    folder: PathBuf,
    pub port: u16,
    watchdog: Child,
}

/// The server of this test run, started by the first test that asks for it.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

impl Server {
    /// Starts a server and waits until it answers.
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// Starts a server with further options, which win over ours.
    pub fn start_with(options: &[&str]) -> Server {
        let folder = tempfile::Builder::new()
            .prefix("rbc-usage-mariadb-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        write_certificates(&folder);
        create_system_tables(&folder);
        // Another process may take the port between our look and the server's bind.
        for _ in 0..5 {
            let mut server = Server::launch(&folder, options);
            if server.answers() {
                return server;
            }
            server.end();
        }
        panic!("mariadbd did not start:\n{}", log(&folder));
    }

    fn launch(folder: &Path, options: &[&str]) -> Server {
        let port = free_port();
        let mut watchdog = Command::new("sh");
        watchdog
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(folder)
            .arg(find_program("mariadbd"))
            .args(server_options(folder, port))
            .args(options)
            .stdin(Stdio::piped())
            // A Ctrl-C for the tests must not end the shell before it has cleaned up.
            .process_group(0);
        let watchdog = watchdog.spawn().expect("start sh");
        Server {
            folder: folder.to_owned(),
            port,
            watchdog,
        }
    }

    /// False when the server ended instead.
    fn answers(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if Conn::new(self.options()).is_ok() {
                return true;
            }
            if log(&self.folder).contains("[ERROR] Aborting") {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// A file of the server's folder: `ca.pem`, `socket`, `log`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A connection that may do everything.
    pub fn connect(&self) -> Conn {
        let mut conn = Conn::new(self.options()).unwrap_or_else(|err| {
            panic!("connect to the test server: {err}\n{}", log(&self.folder));
        });
        // So that a string literal means the same here and in SQLite.
        conn.query_drop("set sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'")
            .expect("set the sql mode");
        conn
    }

    fn options(&self) -> OptsBuilder {
        OptsBuilder::new()
            .socket(Some(self.path("socket").display().to_string()))
            .user(Some("root"))
    }

    /// Sends a signal to the server: `STOP` freezes it, `CONT` thaws it, `KILL` ends it.
    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.path("pid")).expect("the server's pid");
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, pid.trim()])
            .status();
        assert!(status.expect("start sh").success(), "kill -s {name} {pid}");
    }

    fn end(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a server has written so far.
fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A port of 127.0.0.1 that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind to loopback");
    listener.local_addr().expect("a bound address").port()
}

fn server_options(folder: &Path, port: u16) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut options = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", file("data")),
        format!("--socket={}", file("socket")),
        format!("--pid-file={}", file("server-pid")),
        format!("--ssl-ca={}", file("ca.pem")),
        format!("--ssl-cert={}", file("server.pem")),
        format!("--ssl-key={}", file("server-key.pem")),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--skip-log-bin".to_owned(),
        "--skip-innodb-file-per-table".to_owned(),
        "--innodb-fast-shutdown=2".to_owned(),
        "--max-connections=300".to_owned(),
    ];
    options.extend(common_options(folder));
    options
}

/// Of the server and of the one that writes its system tables.
fn common_options(folder: &Path) -> Vec<String> {
    let mut options = QUICK.map(str::to_owned).to_vec();
    // A starting server removes what temporary tables it finds there, were they another server's.
    options.push(format!("--tmpdir={}", folder.display()));
    let owner = std::fs::metadata(folder).expect("the folder's owner").uid();
    if owner == 0 {
        // mariadbd refuses to run as root unless it is told to; anybody else may not tell it.
        options.push("--user=root".to_owned());
    }
    options
}

fn create_system_tables(folder: &Path) {
    let output = Command::new(find_program("mariadb-install-db"))
        .arg("--no-defaults")
        .arg(format!("--datadir={}", folder.join("data").display()))
        .args([
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ])
        .args(common_options(folder))
        .output()
        .expect("start mariadb-install-db");
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    let _ = write!(said, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "mariadb-install-db:\n{said}");
}

/// An authority (`ca.pem`) and a certificate for localhost signed by it.
fn write_certificates(folder: &Path) {
    let mut authority = rcgen::CertificateParams::new([]).expect("an authority");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "the tests' authority");
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let root = authority.self_signed(&authority_key).expect("self-signed");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(names)
        .and_then(|server| server.signed_by(&key, &issuer))
        .expect("a certificate for localhost");
    for (name, text) in [
        ("ca.pem", root.pem()),
        ("server.pem", certificate.pem()),
        ("server-key.pem", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).expect("write a certificate");
    }
}

/// Debian keeps servers in /usr/sbin, which is not on everybody's PATH.
fn find_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/libexec"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} not found: run sh tests/install.sh tests"))
}
