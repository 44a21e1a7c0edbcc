//! A client's connection, plain or encrypted, on which nothing takes longer than its deadline. A deadline
//! is a moment and not a length of silence: who sends a byte a second gains nothing by it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};

/// After the last answer the client's own end is waited for, because closing while it still sends would
/// destroy the answer on its way. This bounds the wait.
const LINGER: Duration = Duration::from_secs(1);

/// And this bounds the bytes that are read and thrown away meanwhile.
const LINGER_BYTES: usize = 2 << 20;

/// How much goes into the encryption at a time.
const TLS_CHUNK: usize = 16 << 10;

pub struct Stream {
    socket: Arc<TcpStream>,
    tls: Option<Box<ServerConnection>>,
}

impl Stream {
    pub fn plain(socket: Arc<TcpStream>) -> Stream {
        Stream { socket, tls: None }
    }

    /// Shakes hands. An error is the client's: it does not speak TLS, or none that we accept.
    pub fn encrypted(
        socket: Arc<TcpStream>,
        config: Arc<ServerConfig>,
        deadline: Instant,
    ) -> io::Result<Stream> {
        let mut tls = Box::new(ServerConnection::new(config).map_err(io::Error::other)?);
        let mut timed = Timed {
            socket: &socket,
            deadline,
        };
        while tls.is_handshaking() {
            // It says so by no error, but by nothing read and nothing written.
            if tls.complete_io(&mut timed)? == (0, 0) {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Stream {
            socket,
            tls: Some(tls),
        })
    }

    /// Reads what is there, and waits for it until the deadline; 0 is the client's end.
    pub fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        let mut timed = Timed {
            socket: &self.socket,
            deadline,
        };
        let Some(tls) = &mut self.tls else {
            return timed.read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                // An end without the farewell of TLS: every request has an end of its own, so nothing is cut.
                Err(err) if err.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            // An answer to a change of keys, for one.
            while tls.wants_write() {
                tls.write_tls(&mut timed)?;
            }
            if tls.read_tls(&mut timed)? == 0 {
                return Ok(0);
            }
            if let Err(err) = tls.process_new_packets() {
                // Tell the client what it did, if it listens.
                let _ = tls.write_tls(&mut timed);
                return Err(io::Error::new(ErrorKind::InvalidData, err));
            }
        }
    }

    /// Writes all of it until the deadline.
    pub fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let mut timed = Timed {
            socket: &self.socket,
            deadline,
        };
        let Some(tls) = &mut self.tls else {
            return timed.write_all(bytes);
        };
        for chunk in bytes.chunks(TLS_CHUNK) {
            tls.writer().write_all(chunk)?;
            while tls.wants_write() {
                tls.write_tls(&mut timed)?;
            }
        }
        Ok(())
    }

    /// Ends the connection so that the client gets all that was written.
    pub fn end(mut self) {
        let deadline = Instant::now() + LINGER;
        let mut timed = Timed {
            socket: &self.socket,
            deadline,
        };
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() {
                if tls.write_tls(&mut timed).is_err() {
                    return;
                }
            }
        }
        linger(&self.socket, deadline);
    }
}

/// The first byte a client sends, which is left to be read; none if it ends without one.
pub fn first_byte(socket: &TcpStream, deadline: Instant) -> io::Result<Option<u8>> {
    let timed = Timed { socket, deadline };
    let mut byte = [0];
    loop {
        socket.set_read_timeout(Some(timed.left()?))?;
        match socket.peek(&mut byte) {
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            other => return Ok((other? == 1).then_some(byte[0])),
        }
    }
}

/// Says that nothing follows, and waits for the same from the client.
fn linger(socket: &TcpStream, deadline: Instant) {
    if socket.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut timed = Timed { socket, deadline };
    let mut waste = [0; 4096];
    let mut read = 0;
    while let Ok(count @ 1..) = timed.read(&mut waste) {
        read += count;
        if read > LINGER_BYTES {
            return;
        }
    }
}

/// Whether an error means that the deadline was reached.
pub fn is_late(err: &io::Error) -> bool {
    // The first is what Linux says of a socket that waited for its time, the second what we say.
    matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A socket whose every wait ends at the deadline.
struct Timed<'a> {
    socket: &'a TcpStream,
    deadline: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(Some(self.left()?))?;
            match self.socket.read(buffer) {
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
