//! One client's connection from its first byte to its last: read a head, ask the workers, write the answer, again
//! and again. Each step has its deadline.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connections::Place;
use super::listener::Shared;
use super::refusal::Refused;
use super::request::{self, Head, Method, Refusal, Version, refusal};
use super::stream::{self, Stream};
use super::unread::Hold;
use super::upstream::{self, Failure};
use crate::http::frame;
use crate::http::response::Reply;
use crate::http::state::Call;
use crate::plural::plural;

/// A client may take the time of `write_timeout` for each piece of this many bytes.
const WRITE_PIECE: usize = 1 << 20;

/// A body up to this length is copied behind its head: to write one piece is cheaper than two.
const COPIED: usize = 16 << 10;

/// A refusal is short: a client that does not take it in this time loses it.
const REFUSAL: Duration = Duration::from_secs(1);

/// Read at a time.
const CHUNK: usize = 4096;

/// The first byte of a client who speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// What came of reading a head.
enum Received {
    Request(Head),
    /// The client has ended, or was silent for too long.
    Nothing,
    Refused(Refusal),
}

/// An answer whose head lacks its end: one that was made here, or that of a worker.
enum Answer<'a> {
    Here {
        head: String,
        reply: Arc<Reply>,
        _hold: Hold<'a>,
    },
    OfWorker(upstream::Answer<'a>),
}

/// Serves a connection to its end.
pub fn serve(shared: &Shared, place: &Place, socket: Arc<TcpStream>, peer: IpAddr) {
    shared.server.metrics.connection_opened();
    let limits = &shared.limits;
    let deadline = Instant::now()
        + match shared.tls {
            Some(_) => limits.handshake_timeout,
            None => limits.header_timeout,
        };
    // Who ends without a word, or says none in time, is told none.
    if let Ok(Some(_)) = stream::first_byte(&socket, deadline) {
        place.begin();
        if let Some(stream) = open(shared, socket, peer, deadline) {
            converse(shared, place, stream, peer);
        }
    }
    shared.server.metrics.connection_closed();
}

/// Tells a connection that there is no place for it.
pub fn turn_away(shared: &Shared, socket: Arc<TcpStream>, peer: IpAddr, why: &Refusal) {
    shared.server.metrics.refused(why.status);
    if let Some(stream) = open(shared, socket, peer, Instant::now() + REFUSAL) {
        say(
            stream,
            &Refused {
                peer,
                request: b"",
                why,
                id: &shared.ids.next(),
            },
        );
    }
}

/// Shakes hands where TLS is spoken.
fn open(
    shared: &Shared,
    socket: Arc<TcpStream>,
    peer: IpAddr,
    deadline: Instant,
) -> Option<Stream> {
    let Some(tls) = &shared.tls else {
        return Some(Stream::plain(socket));
    };
    match stream::first_byte(&socket, deadline) {
        Ok(Some(TLS_HANDSHAKE)) => {}
        Ok(Some(_)) => {
            let why = refusal(400, "this port speaks TLS: write https");
            let refused = Refused {
                peer,
                request: b"",
                why: &why,
                id: &shared.ids.next(),
            };
            refuse(shared, Stream::plain(socket), &refused);
            return None;
        }
        Ok(None) | Err(_) => return None,
    }
    match Stream::encrypted(socket, tls.current(), deadline) {
        Ok(stream) => Some(stream),
        Err(err) => {
            shared.handshakes.note(&shared.server.log, || {
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

fn converse(shared: &Shared, place: &Place, mut stream: Stream, peer: IpAddr) {
    let mut received = Vec::new();
    for number in 1..=shared.limits.max_requests_per_connection {
        let (head, id) = match read_head(shared, &mut stream, &mut received, number == 1) {
            Received::Request(head) => (head, shared.ids.next()),
            Received::Nothing => break,
            Received::Refused(why) => {
                let refused = Refused {
                    peer,
                    request: &received,
                    why: &why,
                    id: &shared.ids.next(),
                };
                return refuse(shared, stream, &refused);
            }
        };
        if !place.begin_answer() {
            return;
        }
        let client = shared.proxies.client(peer, &head.forwarded_for);
        let answer = match answer(shared, &head, client, &id) {
            Ok(answer) => answer,
            Err(failure) => {
                place.wait_for_client();
                let why = unanswered(shared, failure);
                let request = format!("{} {} HTTP/1.1", head.method.name(), head.target);
                let refused = Refused {
                    peer: client,
                    request: request.as_bytes(),
                    why: &why,
                    id: &id,
                };
                return refuse(shared, stream, &refused);
            }
        };
        let last = !head.keep_alive
            || number == shared.limits.max_requests_per_connection
            || shared.table.is_draining();
        place.wait_for_reader();
        let answered = write_answer(shared, &mut stream, &head, answer, last);
        if let Err(err) = answered {
            if stream::is_late(&err) {
                let limit = plural(shared.limits.write_timeout.as_secs(), "second");
                shared.slow_readers.note(&shared.server.log, || {
                    format!("{client}: an answer was not read within {limit}")
                });
            }
            return;
        }
        place.wait_for_client();
        // Asked after the place was marked: a drain that began before sees the mark, one that begins now is seen.
        if last || shared.table.is_draining() {
            break;
        }
    }
    stream.end();
}

/// Most questions of `/usage` are answered here, anything else takes a worker.
fn answer<'a>(
    shared: &'a Shared,
    head: &Head,
    client: IpAddr,
    id: &str,
) -> Result<Answer<'a>, Failure> {
    let call = Call {
        method: head.method.name(),
        target: &head.target,
        authorization: head.authorization.as_deref(),
        peer: client,
        id,
        since: Instant::now(),
    };
    match shared.server.answer(&call) {
        Some(reply) => {
            let length = match head.method {
                Method::Get => reply.body.len(),
                Method::Head => 0,
            };
            Ok(Answer::Here {
                head: frame::head(&reply, id),
                _hold: shared
                    .upstream
                    .held
                    .hold(client, length)
                    .ok_or(Failure::NoRoom)?,
                reply,
            })
        }
        None => {
            let request = head.for_workers(client, id);
            let answer = shared.upstream.ask(&request, head.method, client)?;
            Ok(Answer::OfWorker(answer))
        }
    }
}

/// Reads until a whole head is there and takes it from what was received; what follows it stays.
fn read_head(
    shared: &Shared,
    stream: &mut Stream,
    received: &mut Vec<u8>,
    first: bool,
) -> Received {
    let limits = &shared.limits;
    // A new client has something to ask; one that was answered may be silent for a while.
    let silence = if first {
        limits.header_timeout
    } else {
        limits.idle_timeout
    };
    let mut deadline = Instant::now() + silence;
    let mut begun = false;
    let mut seen = 0;
    loop {
        // An empty line before a request is a client's slip that RFC 9112 wants ignored.
        while received.starts_with(b"\r\n") {
            received.drain(..2);
            seen = 0;
        }
        if !received.is_empty() && !begun {
            begun = true;
            deadline = Instant::now() + limits.header_timeout;
        }
        if received.first() == Some(&TLS_HANDSHAKE) {
            return Received::Refused(refusal(400, "this port speaks no TLS: write http"));
        }
        match request::find_end(received, seen) {
            Ok(Some(end)) if end <= limits.max_header_bytes => {
                let parsed = request::parse(&received[..end]);
                return match parsed {
                    Ok(head) => {
                        received.drain(..end);
                        Received::Request(head)
                    }
                    Err(why) => Received::Refused(why),
                };
            }
            Err(why) => return Received::Refused(why),
            Ok(_) if received.len() >= limits.max_header_bytes => {
                return Received::Refused(too_long(received, limits.max_header_bytes));
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
                return Received::Refused(Refusal {
                    status: 408,
                    message: format!("no whole request came within {limit}"),
                });
            }
            Err(_) => return Received::Nothing,
        }
    }
}

fn too_long(received: &[u8], limit: usize) -> Refusal {
    let (status, what) = if received.contains(&b'\n') {
        (431, "the request's headers take")
    } else {
        (414, "the request's target takes")
    };
    let message = format!("{what} more than {limit} bytes");
    Refusal { status, message }
}

fn unanswered(shared: &Shared, failure: Failure) -> Refusal {
    match failure {
        Failure::Busy => refusal(503, "too much is being asked: try again"),
        Failure::NoRoom => refusal(503, "too many answers wait to be read: try again"),
        Failure::Broken(err) => {
            shared.server.log.note(&format!("{err:#}"));
            refusal(500, "the server made an error")
        }
    }
}

fn write_answer(
    shared: &Shared,
    stream: &mut Stream,
    request: &Head,
    mut answer: Answer,
    last: bool,
) -> io::Result<()> {
    let (head, body): (&mut String, &[u8]) = match &mut answer {
        Answer::Here { head, reply, .. } if request.method == Method::Get => (head, &reply.body),
        Answer::Here { head, .. } => (head, &[]),
        Answer::OfWorker(answer) => (&mut answer.head, &answer.body),
    };
    head.push_str(match (last, request.version) {
        (true, _) => "Connection: close\r\n",
        // What HTTP/1.1 does unasked, HTTP/1.0 wants to hear.
        (false, Version::Http10) => "Connection: keep-alive\r\n",
        (false, Version::Http11) => "",
    });
    head.push_str("\r\n");
    if body.len() <= COPIED {
        let mut bytes = std::mem::take(head).into_bytes();
        bytes.extend_from_slice(body);
        let deadline = Instant::now() + shared.limits.write_timeout;
        return stream.write_all(&bytes, &[], deadline);
    }
    let (first, rest) = body.split_at(body.len().min(WRITE_PIECE.saturating_sub(head.len())));
    let mut write = |head: &str, body| {
        let deadline = Instant::now() + shared.limits.write_timeout;
        stream.write_all(head.as_bytes(), body, deadline)
    };
    write(head, first)?;
    rest.chunks(WRITE_PIECE)
        .try_for_each(|piece| write("", piece))
}

/// Tells the client and the log why there is no answer, and ends the connection.
fn refuse(shared: &Shared, stream: Stream, refused: &Refused) {
    shared.server.metrics.refused(refused.why.status);
    refused.log(&shared.server.log);
    say(stream, refused);
}

fn say(mut stream: Stream, refused: &Refused) {
    if stream
        .write_all(&refused.reply(), &[], Instant::now() + REFUSAL)
        .is_ok()
    {
        stream.end();
    }
}
