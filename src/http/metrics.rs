//! What the server counts, and the text of `/metrics`, which has the state of the ledger as well. Nothing is reported
//! per account. The formats of the text are in `exposition`, the figures of the ledger in `ledger_gauges`,
//! those of the process in `process`.

mod exposition;
mod ledger_gauges;
mod process;

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, Ordering};

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use exposition::Exposition;
use exposition::as_prometheus;
use ledger_gauges::registry_of;
pub use ledger_gauges::{LastImport, LedgerGauges};

/// Where the answers of a fast and of a slow day end, in seconds.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Counts a connection as open until it is dropped.
pub struct OpenConnection(Gauge);

/// Counts a request as in flight until it is dropped.
pub struct InFlight(Gauge);

pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Answered, Counter>,
    seconds: Family<RouteLabel, Histogram>,
    refused: Family<Status, Counter>,
    connections: Counter,
    evicted: Counter,
    open_connections: Gauge,
    in_flight: Gauge,
    auth_failures: Counter,
    /// 0: nothing is encrypted, or it is not known.
    certificate_ends_at: AtomicI64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Answered {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RouteLabel(&'static str);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Status(u16);

impl Metrics {
    pub fn register() -> Metrics {
        let mut registry = Registry::with_prefix("rbc_usage");
        let metrics = Metrics {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            refused: Family::default(),
            connections: Counter::default(),
            evicted: Counter::default(),
            open_connections: Gauge::default(),
            in_flight: Gauge::default(),
            auth_failures: Counter::default(),
            certificate_ends_at: AtomicI64::default(),
            registry: Mutex::default(),
        };
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", version);
        registry.register(
            "http_requests",
            "Requests answered",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "From a request's arrival to its answer",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register(
            "http_refused",
            "Requests and connections refused by their look or a limit",
            metrics.refused.clone(),
        );
        registry.register(
            "connections",
            "Connections accepted",
            metrics.connections.clone(),
        );
        registry.register(
            "sent_away_connections",
            "Connections sent away for others when there were max_connections",
            metrics.evicted.clone(),
        );
        registry.register(
            "open_connections",
            "Connections open",
            metrics.open_connections.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests that are being answered",
            metrics.in_flight.clone(),
        );
        registry.register(
            "auth_failures",
            "Wrong passwords",
            metrics.auth_failures.clone(),
        );
        Metrics {
            registry: Mutex::new(registry),
            ..metrics
        }
    }

    pub fn answered(&self, route: &'static str, status: u16, seconds: f64) {
        self.requests
            .get_or_create(&Answered { route, status })
            .inc();
        self.seconds
            .get_or_create(&RouteLabel(route))
            .observe(seconds);
    }

    pub fn refused(&self, status: u16) {
        self.refused.get_or_create(&Status(status)).inc();
    }

    pub fn evicted(&self, connections: usize) {
        self.evicted.inc_by(connections as u64);
    }

    pub fn connection_opens(&self) -> OpenConnection {
        self.connections.inc();
        self.open_connections.inc();
        OpenConnection(self.open_connections.clone())
    }

    pub fn request_begins(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    pub fn auth_failed(&self) {
        self.auth_failures.inc();
    }

    /// In seconds since 1970 UTC, if it is known.
    pub fn certificate_ends(&self, at: Option<i64>) {
        self.certificate_ends_at
            .store(at.unwrap_or(0), Ordering::Relaxed);
    }

    /// All of it.
    pub fn text(&self, format: Exposition, ledger: &LedgerGauges) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode_registry(&mut text, &registry)?;
        let ends = Some(self.certificate_ends_at.load(Ordering::Relaxed)).filter(|at| *at != 0);
        encode_registry(&mut text, &registry_of(ledger, ends))?;
        encode_registry(&mut text, &process::registry())?;
        match format {
            Exposition::OpenMetrics => encode_eof(&mut text)?,
            Exposition::Prometheus => text = as_prometheus(&text),
        }
        Ok(text)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl EncodeLabelSet for Answered {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        [("route", self.route)].encode(encoder)?;
        [("status", self.status)].encode(encoder)
    }
}

impl EncodeLabelSet for RouteLabel {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        [("route", self.0)].encode(encoder)
    }
}

impl EncodeLabelSet for Status {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        [("status", self.0)].encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_reported() {
        let metrics = Metrics::register();
        metrics.answered("usage", 200, 0.002);
        metrics.answered("usage", 200, 20.0);
        metrics.answered("other", 404, 0.0001);
        metrics.refused(431);
        let _open = metrics.connection_opens();
        drop(metrics.connection_opens());
        metrics.evicted(3);
        metrics.auth_failed();
        metrics.certificate_ends(Some(1_401_580_800));
        let ledger = LedgerGauges {
            bytes: Some(4096),
            newest_closed_day: Some(1_370_044_800),
            open_days: Some(1),
            missing_days: Some(0),
            findings: Some(21),
            pending_corrections: Some(2),
            last_import: Some(LastImport {
                finished_at: 1_370_131_199,
                seconds: 12.5,
                exit_code: 1,
            }),
        };
        let text = metrics.text(Exposition::OpenMetrics, &ledger).unwrap();
        for line in [
            concat!(
                "rbc_usage_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "rbc_usage_http_requests_total{route=\"usage\",status=\"200\"} 2",
            "rbc_usage_http_requests_total{route=\"other\",status=\"404\"} 1",
            "rbc_usage_http_request_duration_seconds_bucket{le=\"0.0025\",route=\"usage\"} 1",
            "rbc_usage_http_request_duration_seconds_count{route=\"usage\"} 2",
            "rbc_usage_http_refused_total{status=\"431\"} 1",
            "rbc_usage_connections_total 2",
            "rbc_usage_open_connections 1",
            "rbc_usage_sent_away_connections_total 3",
            "rbc_usage_auth_failures_total 1",
            "rbc_usage_ledger_bytes 4096",
            "rbc_usage_newest_closed_day_timestamp_seconds 1370044800",
            "rbc_usage_open_days 1",
            "rbc_usage_missing_days 0",
            "rbc_usage_findings 21",
            "rbc_usage_pending_corrections 2",
            "rbc_usage_certificate_end_timestamp_seconds 1401580800",
            "rbc_usage_last_import_timestamp_seconds 1370131199",
            "rbc_usage_last_import_exit_code 1",
            "rbc_usage_last_import_duration_seconds 12.5",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
            let old = metrics.text(Exposition::Prometheus, &ledger).unwrap();
            assert!(old.lines().any(|told| told == line), "{line}\n{old}");
        }
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        let unknown = Metrics::register()
            .text(Exposition::Prometheus, &LedgerGauges::default())
            .unwrap();
        for left_out in ["ledger", "pending", "certificate"] {
            assert!(!unknown.contains(left_out), "{unknown}");
        }
    }
}
