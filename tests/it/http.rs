//! What stands between the network and the answers: the protocol to the letter in `http/protocol.rs`, limits in
//! `http/limits.rs`, encryption in `http/tls.rs`, clients who do not read in `http/readers.rs`, clients who mean harm in
//! `http/hostile.rs`.

mod exposure;
mod hostile;
mod limits;
mod protocol;
mod readers;
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::sandbox::Sandbox;
use crate::serve;
use crate::server::Server;

/// A question that has an answer.
fn target() -> String {
    format!("/usage/{}?start=2013-04-01", serve::ACCOUNT)
}

/// A ledger, and a configuration with these lines in `[server]`.
fn sandbox(lines: &str) -> Sandbox {
    let sandbox = serve::sandbox();
    sandbox.write("cloudusage.cfg", &format!("{}{lines}\n", serve::CONFIG));
    sandbox
}

/// A connection from one of this machine's loopback addresses: 127.0.0.0/8 has enough for any crowd.
fn connect_from(from: &str, server: &Server) -> TcpStream {
    connect_by(
        Socket::new(Domain::IPV4, Type::STREAM, None).unwrap(),
        from,
        server,
    )
}

fn connect_by(socket: Socket, from: &str, server: &Server) -> TcpStream {
    let from: IpAddr = from.parse().unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    let to: SocketAddr = server.address.parse().unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

fn connect(server: &Server) -> TcpStream {
    connect_from("127.0.0.1", server)
}

/// One answer of a connection that may hold more of them: status, head and body.
fn read_answer<S: Read>(stream: &mut BufReader<S>) -> (u16, String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let count = stream.read_line(&mut head).expect("read an answer");
        assert!(count > 0, "the answer breaks off after {head:?}");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.expect("a length").parse().unwrap()];
    stream.read_exact(&mut body).expect("read a body");
    (
        head[9..12].parse().unwrap(),
        head,
        String::from_utf8(body).unwrap(),
    )
}

/// Sends bytes and reads until the server ends the connection.
fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = connect(server);
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
