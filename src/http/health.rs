//! What monitoring asks: whether the server lives, whether it can answer, and the figures of `/metrics`.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use anyhow::ensure;
use serde_json::json;

use super::ledger_pool::Lease;
use super::metrics::{Exposition, LastImport, LedgerGauges};
use super::question::Question;
use super::refusal::{error, no_such_path};
use super::response::Response;
use super::state::State;
use super::v1::negotiate;
use crate::day::Day;
use crate::instant::Utc;
use crate::ledger::read::state::{ImportRun, LedgerState};
use crate::ledger::read::{OtherSchema, Reader};
use crate::ledger::timezones::disagreement;
use crate::plural::plural;
use crate::scope::Scope;

pub fn alive(_: &Question, _: &mut Lease) -> anyhow::Result<Response> {
    Ok(Response::json(200, &json!({"status": "alive"})))
}

/// 200 if answers can be given, else 503; the reason holds no path.
pub fn ready(question: &Question, ledger: &mut Lease) -> anyhow::Result<Response> {
    let state = question.state;
    let read = ledger.reader().and_then(Reader::state);
    if let Err(err) = &read {
        ledger.close();
        state.log.note(&format!("not ready: {err:#}"));
    }
    let max_age_days = state.max_age_days.load(Ordering::Relaxed);
    let max_age = (max_age_days > 0).then_some((question.yesterday.next(), max_age_days));
    Ok(readiness(read, state.timezone().as_deref(), max_age))
}

/// `max_age` is today, and how many days old the newest closed day may be.
fn readiness(
    state: anyhow::Result<LedgerState>,
    timezone: Option<&str>,
    max_age: Option<(Day, i64)>,
) -> Response {
    let newest = state.as_ref().map(|state| state.newest_closed_day);
    let zone = state.as_ref().ok().map(|state| state.zones.name());
    let why = match (newest, max_age) {
        (Err(err), _) => Some(match err.downcast_ref::<OtherSchema>() {
            Some(why) => format!("the ledger cannot be read: {why}"),
            None => "the ledger cannot be read".to_owned(),
        }),
        (Ok(_), _) if timezone.is_some() && zone != timezone => {
            let both = zone.zip(timezone);
            both.map(|(zone, timezone)| {
                format!("the ledger: {}; then reload", disagreement(zone, timezone))
            })
        }
        (Ok(_), None) => None,
        (Ok(None), Some(_)) => Some("the ledger has no closed day".to_owned()),
        (Ok(Some(day)), Some((today, max_age_days))) => {
            let age = today.days_since_1970() - day.days_since_1970();
            (age > max_age_days).then(|| {
                let age = plural(age, "day");
                format!(
                    "the newest closed day is {day}, {age} ago: server.max_age allows {max_age_days}"
                )
            })
        }
    };
    match why {
        Some(why) => error(503, &why),
        None => {
            let newest = newest.ok().flatten().map(|day| day.to_string());
            let body = json!({"status": "ready", "newest_closed_day": newest});
            Response::json(200, &body)
        }
    }
}

/// All figures; those of the ledger only if it can be read. Users who may see only some accounts get none, because the
/// figures cover all accounts.
pub fn metrics(question: &Question, ledger: &mut Lease) -> anyhow::Result<Response> {
    let Question { state, request, .. } = question;
    if *question.user.scope != Scope::All {
        return Ok(no_such_path(request.head.path()));
    }
    let read = ledger.reader().and_then(|reader| gauges(state, reader));
    if let Err(err) = &read {
        state.log.note(&format!("metrics: {err:#}"));
    }
    let accept = request.head.accept.as_deref();
    let format = negotiate::first_choice(accept, &Exposition::ALL.map(Exposition::media_type));
    let format = Exposition::ALL[format];
    let text = state.metrics.text(format, &read.unwrap_or_default())?;
    let response = Response::of(format.content_type(), 200, text.into_bytes());
    Ok(response.with("Vary", "Accept"))
}

fn gauges(state: &State, reader: &mut Reader) -> anyhow::Result<LedgerGauges> {
    let (ledger, counts) = (reader.state()?, reader.counts()?);
    Ok(LedgerGauges {
        bytes: match state.ledger.file() {
            Some(path) => Some(std::fs::metadata(path)?.len()),
            None => None,
        },
        newest_closed_day: ledger
            .newest_closed_day
            .map(|day| ledger.zones.midnight(day)),
        open_days: Some(counts.open_days),
        missing_days: Some(counts.missing_days),
        findings: Some(counts.findings),
        pending_corrections: Some(counts.pending_corrections),
        last_import: counts.last_finished_import.and_then(last_import),
    })
}

fn last_import(run: ImportRun) -> Option<LastImport> {
    Some(LastImport {
        finished_at: run.finished_at?.parse::<Utc>().ok()?.unix(),
        seconds: run.seconds?,
        exit_code: match run.outcome?.as_str() {
            "done" => 0,
            "needs_a_look" => 1,
            _ => 2,
        },
    })
}

/// Refuses an address that others can reach: nobody is asked for a password there.
pub fn may_tell(address: SocketAddr, behind_proxy: bool) -> anyhow::Result<()> {
    ensure!(
        address.ip().to_canonical().is_loopback() || behind_proxy,
        "listen on {address}: server.metrics_bind asks for no password, so it must be a loopback address unless \
         server.behind_proxy is yes"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;
    use crate::zones::Zones;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn ready(newest: Option<&str>, max_age: Option<&str>) -> Response {
        let state = LedgerState {
            zones: Zones::from(Zone::parse("GMT").unwrap()),
            revision: 1,
            days: None,
            newest_closed_day: newest.map(day),
            last_import: None,
        };
        readiness(Ok(state), Some("GMT"), max_age.map(|today| (day(today), 3)))
    }

    #[test]
    fn ready_is_a_ledger_that_can_be_read_and_not_too_old_if_an_age_is_set() {
        let some = ready(Some("2013-06-01"), Some("2013-06-04"));
        assert_eq!(some.status, 200);
        assert_eq!(
            String::from_utf8(some.body).unwrap(),
            "{\"newest_closed_day\":\"2013-06-01\",\"status\":\"ready\"}\n"
        );
        let old = "the newest closed day is 2013-06-01, 4 days ago: server.max_age allows 3";
        assert_eq!(
            ready(Some("2013-06-01"), Some("2013-06-05")),
            error(503, old)
        );
        let none = "the ledger has no closed day";
        assert_eq!(ready(None, Some("2013-06-05")), error(503, none));
        for newest in [None, Some("1999-01-01")] {
            assert_eq!(ready(newest, None).status, 200);
        }
        let lost = error(503, "the ledger cannot be read");
        let failed = Err(anyhow::anyhow!("disk I/O error"));
        assert_eq!(readiness(failed, None, None), lost);
    }
}
