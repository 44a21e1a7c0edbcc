//! A client's connection, plain or encrypted, on which nothing takes longer than its deadline. A deadline is a point in
//! time, so a client that sends one byte a second does not prolong it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};

/// How long to wait for the client to close after the last answer. If the server closed first while the client was
/// still sending, the answer could be lost on its way.
const LINGER: Duration = Duration::from_secs(1);

/// How many bytes to read and discard during that wait.
const LINGER_BYTES: usize = 2 << 20;

/// Time-outs are rounded up to a multiple of this. Successive requests of a connection then mostly have the same one,
/// which saves a system call.
const GRAIN: Duration = Duration::from_millis(50);

pub struct Stream {
    socket: Arc<TcpStream>,
    time_outs: TimeOuts,
    tls: Option<Box<ServerConnection>>,
}

impl Stream {
    pub fn plain(socket: Arc<TcpStream>) -> Stream {
        Stream {
            socket,
            time_outs: TimeOuts::default(),
            tls: None,
        }
    }

    /// Performs the handshake. Errors are the client's: it does not speak TLS, or no version that the server accepts.
    pub fn encrypted(
        socket: Arc<TcpStream>,
        config: Arc<ServerConfig>,
        deadline: Instant,
    ) -> io::Result<Stream> {
        let mut tls = Box::new(ServerConnection::new(config).map_err(io::Error::other)?);
        let mut time_outs = TimeOuts::default();
        let mut timed = Timed {
            socket: &socket,
            time_outs: &mut time_outs,
            deadline,
        };
        while tls.is_handshaking() {
            // The end of the stream is no error here: nothing is read and nothing written.
            if tls.complete_io(&mut timed)? == (0, 0) {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Stream {
            socket,
            time_outs,
            tls: Some(tls),
        })
    }

    /// Reads what has arrived, or waits for it until the deadline; 0 means that the client has closed.
    pub fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        let mut timed = Timed {
            socket: &self.socket,
            time_outs: &mut self.time_outs,
            deadline,
        };
        let Some(tls) = &mut self.tls else {
            return timed.read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                // Closed without close_notify. Nothing can be cut off, because every request marks its own end.
                Err(err) if err.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            // Such as the reply to a key update.
            while tls.wants_write() {
                tls.write_tls(&mut timed)?;
            }
            if tls.read_tls(&mut timed)? == 0 {
                return Ok(0);
            }
            if let Err(err) = tls.process_new_packets() {
                // Send the alert, if the client still reads.
                let _ = tls.write_tls(&mut timed);
                return Err(io::Error::new(ErrorKind::InvalidData, err));
            }
        }
    }

    /// Writes head and body in one go, without copying either, until the deadline.
    pub fn write_all(&mut self, head: &[u8], body: &[u8], deadline: Instant) -> io::Result<()> {
        let mut timed = Timed {
            socket: &self.socket,
            time_outs: &mut self.time_outs,
            deadline,
        };
        let mut both = [IoSlice::new(head), IoSlice::new(body)];
        let mut left = &mut both[..];
        // Skips empty slices.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            let written = match &mut self.tls {
                None => timed.write_vectored(left)?,
                Some(tls) => {
                    // rustls limits how much it takes at a time.
                    let taken = tls.writer().write_vectored(left)?;
                    while tls.wants_write() {
                        tls.write_tls(&mut timed)?;
                    }
                    taken
                }
            };
            if written == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(())
    }

    /// Ends the connection in such a way that the client gets everything that was written.
    pub fn end(mut self) {
        let deadline = Instant::now() + LINGER;
        let mut timed = Timed {
            socket: &self.socket,
            time_outs: &mut self.time_outs,
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
        linger(timed);
    }
}

/// Peeks at the first byte that the client sends; `None` if it closes without one.
pub fn first_byte(socket: &TcpStream, deadline: Instant) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        socket.set_read_timeout(Some(left(deadline)?))?;
        match socket.peek(&mut byte) {
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            other => return Ok((other? == 1).then_some(byte[0])),
        }
    }
}

/// Closes the server's half of the connection, and waits for the client to close its own.
fn linger(mut timed: Timed) {
    if timed.socket.shutdown(Shutdown::Write).is_err() {
        return;
    }
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
    // Linux reports a socket's time-out as the first, `left` reports the second.
    matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A socket whose every wait ends at the deadline.
struct Timed<'a> {
    socket: &'a TcpStream,
    time_outs: &'a mut TimeOuts,
    deadline: Instant,
}

/// The time-outs that the socket was last given.
#[derive(Default)]
struct TimeOuts {
    read: Option<Duration>,
    write: Option<Duration>,
}

/// The time left until a deadline, rounded up to whole grains.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    let beyond = left.as_nanos() % GRAIN.as_nanos();
    // Less than a grain, so it fits.
    Ok(left + GRAIN - Duration::from_nanos(beyond as u64))
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = Some(left(self.deadline)?);
            if self.time_outs.read != left {
                self.socket.set_read_timeout(left)?;
                self.time_outs.read = left;
            }
            match self.socket.read(buffer) {
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice]) -> io::Result<usize> {
        loop {
            let left = Some(left(self.deadline)?);
            if self.time_outs.write != left {
                self.socket.set_write_timeout(left)?;
                self.time_outs.write = left;
            }
            // A plain write is cheaper for a single slice.
            let written = match slices {
                [one] => self.socket.write(one),
                some => self.socket.write_vectored(some),
            };
            match written {
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_is_the_same_for_a_while_and_never_short() {
        let now = Instant::now();
        for milliseconds in [1, 49, 50, 51, 1000, 60_000] {
            let whole = Duration::from_millis(milliseconds);
            let left = left(now + whole + Duration::from_millis(10)).unwrap();
            assert!(left >= whole && left <= whole + GRAIN + GRAIN, "{left:?}");
            assert_eq!(left.as_nanos() % GRAIN.as_nanos(), 0);
        }
        assert!(left(now).is_err());
    }
}
