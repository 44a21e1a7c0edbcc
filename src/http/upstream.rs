//! The way to the workers: a few connections to the private socket of tiny_http, each of which carries one
//! request at a time. An answer is taken in whole before its client gets any of it, so that a client who does
//! not read keeps a thread of the gate busy and no worker.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::request::Method;
use super::unread::{Held, Hold};

/// A request line that only the gate can send: a client's target begins with a slash.
pub const HELLO: &str = "*";

/// How long a request waits for a free connection.
const QUEUE: Duration = Duration::from_secs(10);

/// How long a worker may take for an answer.
const ANSWER: Duration = Duration::from_secs(120);

/// The head of an answer is ours; this is a bound and no limit.
const LONGEST_HEAD: usize = 16 << 10;

const ENDS_EARLY: &str = "a worker's answer ends early";

pub struct Upstream {
    socket: PathBuf,
    most: usize,
    pool: Mutex<Pool>,
    freed: Condvar,
    /// What is on its way to clients, whoever answered.
    pub held: Held,
}

#[derive(Default)]
struct Pool {
    idle: Vec<UnixStream>,
    /// Those that are idle, in use, or being opened.
    open: usize,
    /// Requests that wait for one.
    waiting: usize,
    /// One connection is opened at a time, and only after the one before has answered: tiny_http may put a
    /// connection behind a busy one for ever if several come at once.
    opening: bool,
}

/// A worker's answer.
pub struct Answer<'a> {
    pub status: u16,
    /// Status line and headers that go to the client, without the empty line at the end.
    pub head: String,
    pub body: Vec<u8>,
    _hold: Hold<'a>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The workers are busy.
    Busy,
    /// Too much waits for slow clients.
    NoRoom,
    /// Something is wrong with the server.
    Broken(anyhow::Error),
}

impl Upstream {
    /// Opens all connections.
    pub fn open(socket: PathBuf, most: usize) -> anyhow::Result<Upstream> {
        let upstream = Upstream {
            socket,
            most,
            pool: Mutex::default(),
            freed: Condvar::new(),
            held: Held::default(),
        };
        for _ in 0..most {
            let stream = upstream.connect()?;
            let mut pool = upstream.lock();
            pool.idle.push(stream);
            pool.open += 1;
        }
        Ok(upstream)
    }

    /// Asks the workers for a client. `request` is a whole head.
    pub fn ask(
        &self,
        request: &str,
        method: Method,
        client: IpAddr,
    ) -> Result<Answer<'_>, Failure> {
        let mut stream = self.take()?;
        let answer = self.exchange(&mut stream, request, method, client);
        let mut pool = self.lock();
        match &answer {
            Ok(_) | Err(Failure::NoRoom) => pool.idle.push(stream),
            // An answer may still come over it, so it cannot be used again.
            Err(Failure::Busy | Failure::Broken(_)) => pool.open -= 1,
        }
        self.tell_one(pool);
        answer
    }

    /// An idle connection, or a new one.
    fn take(&self) -> Result<UnixStream, Failure> {
        let deadline = Instant::now() + QUEUE;
        let mut pool = self.lock();
        loop {
            if let Some(stream) = pool.idle.pop() {
                return Ok(stream);
            }
            if pool.open < self.most && !pool.opening {
                pool.opening = true;
                drop(pool);
                let stream = self.connect();
                let mut pool = self.lock();
                pool.opening = false;
                pool.open += usize::from(stream.is_ok());
                self.tell_one(pool);
                return stream.map_err(Failure::Broken);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::Busy);
            }
            pool.waiting += 1;
            let wait = self.freed.wait_timeout(pool, left);
            pool = wait.unwrap_or_else(PoisonError::into_inner).0;
            pool.waiting -= 1;
        }
    }

    /// A connection may be taken or opened: wakes one who waits for that, if there is one. The system is not even asked
    /// otherwise.
    fn tell_one(&self, pool: MutexGuard<Pool>) {
        let waiting = pool.waiting > 0;
        drop(pool);
        if waiting {
            self.freed.notify_one();
        }
    }

    /// Opens a connection and sees that it is answered.
    fn connect(&self) -> anyhow::Result<UnixStream> {
        let stream = UnixStream::connect(&self.socket)
            .with_context(|| format!("connect to the workers at {}", self.socket.display()));
        let mut stream = stream?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let hello = format!("HEAD {HELLO} HTTP/1.1\r\nHost: gate\r\n\r\n");
        match self.exchange(
            &mut stream,
            &hello,
            Method::Head,
            Ipv4Addr::LOCALHOST.into(),
        ) {
            Ok(answer) if answer.status == 200 => Ok(stream),
            Ok(answer) => bail!("the workers answered {} to the gate's hello", answer.status),
            Err(Failure::Broken(err)) => Err(err),
            Err(Failure::Busy | Failure::NoRoom) => {
                bail!("the workers did not answer the gate's hello")
            }
        }
    }

    fn exchange(
        &self,
        stream: &mut UnixStream,
        request: &str,
        method: Method,
        client: IpAddr,
    ) -> Result<Answer<'_>, Failure> {
        let failed = |err: io::Error| match err.kind() {
            ErrorKind::WouldBlock => Failure::Busy,
            _ => Failure::Broken(anyhow::Error::new(err).context("ask a worker")),
        };
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 8192];
        let end = loop {
            // Nothing comes after an answer before the next request, so what is read belongs to this one.
            let read = match stream.read(&mut chunk) {
                // A process that was stopped goes on with this, wherever a wait has a limit.
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                other => other.map_err(failed)?,
            };
            bytes.extend_from_slice(&chunk[..read]);
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if read == 0 || bytes.len() > LONGEST_HEAD {
                return Err(broken("a worker's answer has no end to its head"));
            }
        };
        let mut body = bytes.split_off(end);
        let (status, head, announced) = read_head(bytes).map_err(Failure::Broken)?;
        let length = match method {
            Method::Get if !matches!(status, 204 | 304) => announced,
            Method::Get | Method::Head => 0,
        };
        let missing = length
            .checked_sub(body.len())
            .ok_or_else(|| broken("a worker's answer is longer than announced"))?;
        let mut rest = stream.take(missing as u64);
        let Some(hold) = self.held.hold(client, length) else {
            // Behind it the connection is as good as before.
            let thrown_away = io::copy(&mut rest, &mut io::sink()).map_err(failed)?;
            return Err(match thrown_away == missing as u64 {
                true => Failure::NoRoom,
                false => broken(ENDS_EARLY),
            });
        };
        body.reserve_exact(missing);
        rest.read_to_end(&mut body).map_err(failed)?;
        if body.len() < length {
            return Err(broken(ENDS_EARLY));
        }
        Ok(Answer {
            status,
            head,
            body,
            _hold: hold,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken(what: &'static str) -> Failure {
    Failure::Broken(anyhow::Error::msg(what))
}

/// Status, what the client gets of the head, and the length of the body.
fn read_head(mut bytes: Vec<u8>) -> anyhow::Result<(u16, String, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(&bytes).context("a worker's answer")?;
    ensure!(parsed.is_complete(), "a worker's answer has no whole head");
    let status = response.code.context("a worker's answer has no status")?;
    let mut headers = response.headers.iter();
    let length = headers.find(|header| header.name.eq_ignore_ascii_case("Content-Length"));
    let length = length.map(|header| {
        std::str::from_utf8(header.value)?
            .parse()
            .map_err(anyhow::Error::from)
    });
    let length = length.transpose().context("a worker's Content-Length")?;
    // The empty line: the gate may have one to add before it.
    bytes.truncate(bytes.len() - 2);
    let head = String::from_utf8(bytes).context("a worker's answer")?;
    Ok((status, head, length.unwrap_or(0)))
}
