//! One client's connection from its first byte to its last: read a head, answer it, write the answer, again and again.
//! Each step has its deadline.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tiny_http::{HTTPVersion, Method};

use super::answer::answer;
use super::clients::Clients;
use super::connections::Slot;
use super::refusal::refuse;
use super::request::{self, BadRequest, Head, Request};
use super::response::Response;
use super::stream::{self, Stream};
use crate::plural::plural;

/// A client may take the time of `write_timeout` for each piece of this many bytes.
const WRITE_PIECE: usize = 1 << 20;

/// A body up to this length is copied behind its head: one write is cheaper than two.
const COPIED: usize = 16 << 10;

/// How long a client has to read a refusal, which is short.
const REFUSAL: Duration = Duration::from_secs(1);

/// Bytes to read at a time.
const CHUNK: usize = 4096;

/// The first byte of a client that speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// How many bytes of a refused request's first line are logged.
const LOGGED: usize = 200;

/// The outcome of reading a head.
enum Received {
    Head(Head),
    /// The client has closed the connection, or was silent for too long.
    Nothing,
    Bad(BadRequest),
}

/// A request that is refused.
struct Refused<'a> {
    peer: IpAddr,
    /// What was received of it.
    received: &'a [u8],
    why: &'a BadRequest,
    id: &'a str,
}

impl Refused<'_> {
    /// Before anything of a request was read.
    fn unread<'a>(peer: IpAddr, why: &'a BadRequest, id: &'a str) -> Refused<'a> {
        let received = b"";
        Refused {
            peer,
            received,
            why,
            id,
        }
    }
}

/// Serves a connection to its end.
pub fn serve(clients: &Clients, slot: &Slot, socket: Arc<TcpStream>, peer: IpAddr) {
    let _open = clients.state.metrics.connection_opens();
    let limits = &clients.limits;
    let deadline = Instant::now()
        + match clients.tls {
            Some(_) => limits.handshake_timeout,
            None => limits.header_timeout,
        };
    // A client that sends nothing gets no answer.
    if let Ok(Some(_)) = stream::first_byte(&socket, deadline) {
        slot.begin();
        if let Some(stream) = open(clients, socket, peer, deadline) {
            converse(clients, slot, stream, peer);
        }
    }
}

/// Answers a connection that has no place in the table.
pub fn reject(clients: &Clients, socket: Arc<TcpStream>, peer: IpAddr, why: &BadRequest) {
    clients.state.metrics.refused(why.status);
    if let Some(stream) = open(clients, socket, peer, Instant::now() + REFUSAL) {
        say(stream, &Refused::unread(peer, why, &clients.ids.next()));
    }
}

/// Performs the handshake if the server speaks TLS.
fn open(
    clients: &Clients,
    socket: Arc<TcpStream>,
    peer: IpAddr,
    deadline: Instant,
) -> Option<Stream> {
    let Some(tls) = &clients.tls else {
        return Some(Stream::plain(socket));
    };
    match stream::first_byte(&socket, deadline) {
        Ok(Some(TLS_HANDSHAKE)) => {}
        Ok(Some(_)) => {
            let why = &BadRequest::new(400, "this port speaks TLS: write https");
            let id = &clients.ids.next();
            turn_down(
                clients,
                Stream::plain(socket),
                &Refused::unread(peer, why, id),
            );
            return None;
        }
        Ok(None) | Err(_) => return None,
    }
    match Stream::encrypted(socket, tls.current(), deadline) {
        Ok(stream) => Some(stream),
        Err(err) => {
            clients.failed_handshakes.note(&clients.state.log, || {
                let late = stream::is_late(&err);
                let why = if late {
                    "took too long".to_owned()
                } else {
                    err.to_string()
                };
                format!("{peer}: TLS handshake: {why}")
            });
            None
        }
    }
}

fn converse(clients: &Clients, slot: &Slot, mut stream: Stream, peer: IpAddr) {
    let mut received = Vec::new();
    for number in 1..=clients.limits.max_requests_per_connection {
        let head = match read_head(clients, &mut stream, &mut received, number == 1) {
            Received::Head(head) => head,
            Received::Nothing => break,
            Received::Bad(why) => {
                let refused = Refused {
                    peer,
                    received: &received,
                    why: &why,
                    id: &clients.ids.next(),
                };
                return turn_down(clients, stream, &refused);
            }
        };
        if !slot.begin_answer() {
            return;
        }
        let client = clients.proxies.client(peer, &head.forwarded_for);
        let request = Request {
            head,
            client,
            id: clients.ids.next(),
            arrived: Instant::now(),
            unread: clients.state.unread.hold(client),
        };
        let response = answer(&clients.state, &request, clients.endpoints);
        let last = !request.head.keep_alive
            || number == clients.limits.max_requests_per_connection
            || clients.connections.is_draining();
        slot.wait_for_reader();
        if let Err(err) = write(clients, &mut stream, &request, &response, last) {
            if stream::is_late(&err) {
                let limit = plural(clients.limits.write_timeout.as_secs(), "second");
                clients.slow_readers.note(&clients.state.log, || {
                    format!("{client}: an answer was not read within {limit}")
                });
            }
            return;
        }
        slot.wait_for_client();
        // Checked after the slot was marked: an earlier drain has seen the mark, and a later one is seen here.
        if last || clients.connections.is_draining() {
            break;
        }
    }
    stream.end();
}

/// Reads until a whole head has arrived, and removes it from `received`; what follows it stays there.
fn read_head(
    clients: &Clients,
    stream: &mut Stream,
    received: &mut Vec<u8>,
    first: bool,
) -> Received {
    let limits = &clients.limits;
    // A new client should send its request soon; one that has been answered may be silent for a while.
    let silence = if first {
        limits.header_timeout
    } else {
        limits.idle_timeout
    };
    let mut deadline = Instant::now() + silence;
    let mut begun = false;
    let mut seen = 0;
    loop {
        // RFC 9112 asks servers to ignore an empty line before a request.
        while received.starts_with(b"\r\n") {
            received.drain(..2);
            seen = 0;
        }
        if !received.is_empty() && !begun {
            begun = true;
            deadline = Instant::now() + limits.header_timeout;
        }
        if received.first() == Some(&TLS_HANDSHAKE) {
            return Received::Bad(BadRequest::new(400, "this port speaks no TLS: write http"));
        }
        match request::find_end(received, seen) {
            Ok(Some(end)) if end <= limits.max_header_bytes => {
                let parsed = request::parse(&received[..end]);
                return match parsed {
                    Ok(head) => {
                        received.drain(..end);
                        Received::Head(head)
                    }
                    Err(why) => Received::Bad(why),
                };
            }
            Err(why) => return Received::Bad(why),
            Ok(_) if received.len() >= limits.max_header_bytes => {
                return Received::Bad(too_long(received, limits.max_header_bytes));
            }
            Ok(_) => seen = received.len(),
        }
        let mut chunk = [0; CHUNK];
        let room = CHUNK.min(limits.max_header_bytes - received.len());
        match stream.read(&mut chunk[..room], deadline) {
            Ok(0) => return Received::Nothing,
            Ok(count) => received.extend_from_slice(&chunk[..count]),
            Err(err) if stream::is_late(&err) && begun => {
                let limit = plural(limits.header_timeout.as_secs(), "second");
                let why = format!("no whole request came within {limit}");
                return Received::Bad(BadRequest::new(408, why));
            }
            Err(_) => return Received::Nothing,
        }
    }
}

fn too_long(received: &[u8], limit: usize) -> BadRequest {
    let (status, what) = if received.contains(&b'\n') {
        (431, "the request's headers take")
    } else {
        (414, "the request's target takes")
    };
    BadRequest::new(status, format!("{what} more than {limit} bytes"))
}

fn write(
    clients: &Clients,
    stream: &mut Stream,
    request: &Request,
    response: &Response,
    last: bool,
) -> io::Result<()> {
    let mut head = response.head(&request.id);
    head.push_str(match (last, &request.head.version) {
        (true, _) => "Connection: close\r\n",
        // The default in HTTP/1.1, but not in HTTP/1.0.
        (false, HTTPVersion(1, 0)) => "Connection: keep-alive\r\n",
        (false, _) => "",
    });
    head.push_str("\r\n");
    let body: &[u8] = match request.head.method {
        Method::Head => &[],
        _ => &response.body,
    };
    if body.len() <= COPIED {
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        let deadline = Instant::now() + clients.limits.write_timeout;
        return stream.write_all(&bytes, &[], deadline);
    }
    let (first, rest) = body.split_at(body.len().min(WRITE_PIECE.saturating_sub(head.len())));
    let mut write = |head: &str, body| {
        let deadline = Instant::now() + clients.limits.write_timeout;
        stream.write_all(head.as_bytes(), body, deadline)
    };
    write(&head, first)?;
    rest.chunks(WRITE_PIECE)
        .try_for_each(|piece| write("", piece))
}

/// Refuses a request, logs the reason, and ends the connection.
fn turn_down(clients: &Clients, stream: Stream, refused: &Refused) {
    let BadRequest { status, message } = refused.why;
    clients.state.metrics.refused(*status);
    let mut lines = refused.received.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.next().unwrap_or_default();
    let line = String::from_utf8_lossy(&line[..line.len().min(LOGGED)]);
    let log = &clients.state.log;
    log.refusal(refused.peer, *status, &line, message, refused.id);
    say(stream, refused);
}

/// Sends a refusal and ends the connection. The target determines its form, as far as the target can be read.
fn say(mut stream: Stream, refused: &Refused) {
    let BadRequest { status, message } = refused.why;
    let mut words = refused.received.split(|byte| byte.is_ascii_whitespace());
    let is_head = words.next() == Some(b"HEAD");
    let target = std::str::from_utf8(words.next().unwrap_or_default());
    let mut response = refuse(target.unwrap_or_default(), *status, message);
    if matches!(status, 429 | 503) {
        response = response.with("Retry-After", "1");
    }
    let head = response.head(refused.id) + "Connection: close\r\n\r\n";
    let body: &[u8] = if is_head { &[] } else { &response.body };
    let deadline = Instant::now() + REFUSAL;
    if stream.write_all(head.as_bytes(), body, deadline).is_ok() {
        stream.end();
    }
}
