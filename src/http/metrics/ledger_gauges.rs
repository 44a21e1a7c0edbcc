//! The figures of the ledger in `/metrics`. They are read for each answer, so their registry is separate.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What is known of the ledger when it is asked for. What is not known is left out of the text.
#[derive(Debug, Default, PartialEq)]
pub struct LedgerGauges {
    pub bytes: Option<u64>,
    /// When it began, in seconds since 1970 UTC.
    pub newest_closed_day: Option<i64>,
    pub open_days: Option<u64>,
    pub missing_days: Option<u64>,
    /// Those that nobody has acknowledged.
    pub findings: Option<u64>,
    /// Like these.
    pub pending_corrections: Option<u64>,
    pub last_import: Option<LastImport>,
}

/// The last import that has ended.
#[derive(Debug, PartialEq)]
pub struct LastImport {
    /// Since 1970 UTC.
    pub finished_at: i64,
    pub seconds: f64,
    /// 0 done, 1 something needs a look, 2 an error.
    pub exit_code: i64,
}

/// The known figures, and when the server's certificate expires.
pub fn registry_of(ledger: &LedgerGauges, certificate_ends_at: Option<i64>) -> Registry {
    let mut registry = Registry::with_prefix("rbc_usage");
    let mut whole = |name: &str, help: &str, unit: Option<Unit>, value: Option<i64>| {
        let Some(value) = value else { return };
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, gauge),
            None => registry.register(name, help, gauge),
        }
    };
    let count = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
    let last = ledger.last_import.as_ref();
    whole(
        "ledger",
        "Size of the ledger's file",
        Some(Unit::Bytes),
        count(ledger.bytes),
    );
    whole(
        "newest_closed_day_timestamp",
        "When the newest closed day began",
        Some(Unit::Seconds),
        ledger.newest_closed_day,
    );
    whole(
        "open_days",
        "Days whose figures may still grow",
        None,
        count(ledger.open_days),
    );
    whole(
        "missing_days",
        "Days between the first and the newest closed one that were not imported",
        None,
        count(ledger.missing_days),
    );
    whole(
        "findings",
        "Doubts that nobody has acknowledged",
        None,
        count(ledger.findings),
    );
    whole(
        "pending_corrections",
        "Corrections of sealed days that nobody has acknowledged",
        None,
        count(ledger.pending_corrections),
    );
    whole(
        "certificate_end_timestamp",
        "When the first certificate of the chain ends",
        Some(Unit::Seconds),
        certificate_ends_at,
    );
    whole(
        "last_import_timestamp",
        "When the last import ended",
        Some(Unit::Seconds),
        last.map(|import| import.finished_at),
    );
    whole(
        "last_import_exit_code",
        "How the last import ended: 0 done, 1 something needs a look, 2 an error",
        None,
        last.map(|import| import.exit_code),
    );
    if let Some(import) = last {
        let seconds: Gauge<f64, AtomicU64> = Gauge::default();
        seconds.set(import.seconds);
        registry.register_with_unit(
            "last_import_duration",
            "How long the last import took",
            Unit::Seconds,
            seconds,
        );
    }
    registry
}
