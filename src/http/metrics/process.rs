//! The figures of the process itself in `/metrics`, under the names that Prometheus's own clients give them, from
//! `/proc`. They are read for each answer; what cannot be read is left out.

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::param::{clock_ticks_per_second, page_size};

/// What is known of the process.
pub fn registry() -> Registry {
    let mut registry = Registry::with_prefix("process");
    let stat = fs::read_to_string("/proc/self/stat").ok();
    let stat = stat.as_deref().and_then(Stat::parse);
    if let Some(stat) = &stat {
        let ticks = clock_ticks_per_second() as f64;
        let seconds: Counter<f64, AtomicU64> = Counter::default();
        seconds.inc_by(stat.cpu_ticks as f64 / ticks);
        registry.register_with_unit(
            "cpu",
            "Processor time that the process has used",
            Unit::Seconds,
            seconds,
        );
        let bytes: Gauge = Gauge::default();
        bytes.set(i64::try_from(stat.resident_pages * page_size() as u64).unwrap_or(i64::MAX));
        registry.register_with_unit(
            "resident_memory",
            "Memory that the process holds",
            Unit::Bytes,
            bytes,
        );
        if let Some(booted) = booted_at() {
            let started: Gauge<f64, AtomicU64> = Gauge::default();
            started.set(booted as f64 + stat.started_ticks as f64 / ticks);
            registry.register_with_unit(
                "start_time",
                "When the process started",
                Unit::Seconds,
                started,
            );
        }
    }
    if let Some(open) = count_open_files() {
        let files: Gauge = Gauge::default();
        files.set(open);
        registry.register(
            "open_fds",
            "Files and sockets that the process has open",
            files,
        );
    }
    registry
}

/// Of `/proc/self/stat`, see proc(5).
#[derive(Debug, PartialEq)]
struct Stat {
    /// Of the process and its kernel work.
    cpu_ticks: u64,
    /// After the start of the machine.
    started_ticks: u64,
    resident_pages: u64,
}

impl Stat {
    /// The name of the program stands in brackets and may hold anything: fields are counted from its end, the third.
    fn parse(text: &str) -> Option<Stat> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            cpu_ticks: field(14)? + field(15)?,
            started_ticks: field(22)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine started, in seconds since 1970 UTC.
fn booted_at() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

/// Without the one that counts them.
fn count_open_files() -> Option<i64> {
    let files = fs::read_dir("/proc/self/fd").ok()?.count();
    i64::try_from(files).ok().map(|files| files - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let text = "4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 123456 99999999 2048 18446744073709551615 1\n";
        let expected = Stat {
            cpu_ticks: 300,
            started_ticks: 123_456,
            resident_pages: 2048,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("4711 (a) S 1 2"), None);
    }

    #[test]
    fn the_process_has_all_of_them() {
        let mut text = String::new();
        prometheus_client::encoding::text::encode_registry(&mut text, &registry()).unwrap();
        let value = |name: &str| -> f64 {
            let start = format!("{name} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_else(|| panic!("{name}\n{text}"))
                .parse()
                .unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert!(value("process_open_fds") >= 3.0);
        // After 2020.
        assert!(value("process_start_time_seconds") > 1_577_836_800.0);
    }
}
