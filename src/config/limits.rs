//! The limits of `[server]`: what one client may take, in numbers and in time.

use std::time::Duration;

use super::values::{Values, seconds, whole};

#[derive(Clone, Debug, PartialEq)]
pub struct ServerLimits {
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    /// Request line and headers of one request.
    pub max_header_bytes: usize,
    pub max_requests_per_connection: usize,
    /// Days of one question.
    pub max_days: i64,
    pub handshake_timeout: Duration,
    /// From the first byte of a request to the end of its head.
    pub header_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// For each mebibyte of an answer.
    pub write_timeout: Duration,
    /// From the signal to stop to the end.
    pub drain_timeout: Duration,
}

impl Values<'_> {
    pub fn limits(&mut self) -> Option<ServerLimits> {
        let max_connections = self.count("server.max_connections", 1, 65_536, "connections");
        let max_connections_per_address = self.count(
            "server.max_connections_per_address",
            1,
            65_536,
            "connections",
        );
        let max_header_bytes = self.count("server.max_header_bytes", 1024, 1 << 20, "bytes");
        let max_requests_per_connection = self.count(
            "server.max_requests_per_connection",
            1,
            1_000_000_000,
            "requests",
        );
        let max_days = self.read("server.max_days", |text| whole(text, 1, 36_600, "days"));
        let handshake_timeout = self.time("server.handshake_timeout", 1);
        let header_timeout = self.time("server.header_timeout", 1);
        let idle_timeout = self.time("server.idle_timeout", 1);
        let write_timeout = self.time("server.write_timeout", 1);
        let drain_timeout = self.time("server.drain_timeout", 0);
        Some(ServerLimits {
            max_connections: max_connections?,
            max_connections_per_address: max_connections_per_address?,
            max_header_bytes: max_header_bytes?,
            max_requests_per_connection: max_requests_per_connection?,
            max_days: i64::try_from(max_days?).ok()?,
            handshake_timeout: handshake_timeout?,
            header_timeout: header_timeout?,
            idle_timeout: idle_timeout?,
            write_timeout: write_timeout?,
            drain_timeout: drain_timeout?,
        })
    }

    fn count(&mut self, key: &str, lowest: u64, highest: u64, what: &str) -> Option<usize> {
        let number = self.read(key, |text| whole(text, lowest, highest, what))?;
        usize::try_from(number).ok()
    }

    fn time(&mut self, key: &str, lowest: u64) -> Option<Duration> {
        self.read(key, |text| seconds(text, lowest, 3600))
    }
}
