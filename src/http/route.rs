//! What a request asks for: from its method and its target to a question for the ledger, or to the
//! reply that says why there is none. No sockets, no clock, no ledger.

use percent_encoding::percent_decode_str;

use super::response::{self, Reply};
use super::v1;
use crate::day::{Day, DayRange};

/// What a path is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Health,
    Ready,
    Metrics,
    Usage,
    /// Of the API, by the name of its route.
    V1(&'static str),
    /// There is nothing.
    Other,
}

impl Place {
    /// In metrics.
    pub fn name(self) -> &'static str {
        match self {
            Place::Health => "healthz",
            Place::Ready => "readyz",
            Place::Metrics => "metrics",
            Place::Usage => "usage",
            Place::V1(name) => name,
            Place::Other => "other",
        }
    }

    /// Answered without a password: it tells nothing of anybody.
    pub fn is_open(self) -> bool {
        matches!(self, Place::Health | Place::Ready)
    }
}

/// What a target is about.
pub fn place(target: &str) -> Place {
    let path = target.split('?').next().unwrap_or(target);
    match path {
        "/healthz" => Place::Health,
        "/readyz" => Place::Ready,
        "/metrics" => Place::Metrics,
        path if path.starts_with("/usage/") => Place::Usage,
        path if v1::owns(path) => Place::V1(v1::name_of(path)),
        _ => Place::Other,
    }
}

/// `GET /usage/<uuid>?start=&end=`
#[derive(Debug, PartialEq)]
pub struct Question {
    /// Of an account or of a project, as the client wrote it.
    pub uuid: String,
    pub range: DayRange,
}

/// Reads a request. `yesterday` is the start where none is given, `max_days` bounds the work of one request.
pub fn route(method: &str, target: &str, yesterday: Day, max_days: i64) -> Result<Question, Reply> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let uuid = path
        .strip_prefix("/usage/")
        .filter(|uuid| !uuid.is_empty() && !uuid.contains('/'))
        .ok_or_else(|| {
            response::error(
                404,
                "no such path: ask for /usage/<account uuid>?start=YYYY-MM-DD&end=YYYY-MM-DD",
            )
        })?;
    if !matches!(method, "GET" | "HEAD") {
        return Err(response::error(405, "only GET and HEAD are answered"));
    }
    Ok(Question {
        uuid: percent_decode_str(uuid).decode_utf8_lossy().into_owned(),
        range: asked_range(query, yesterday, max_days)
            .map_err(|message| response::error(400, &message))?,
    })
}

/// Parameters other than `start` and `end` are ignored, as the old server did.
fn asked_range(query: &str, yesterday: Day, max_days: i64) -> Result<DayRange, String> {
    let start = parameter(query, "start")?;
    let first = start.unwrap_or(yesterday);
    let last = parameter(query, "end")?.unwrap_or(first);
    let range = DayRange::new(first, last).map_err(|err| match start {
        Some(_) => err.to_string(),
        None => format!("{err} (yesterday, as no start is given)"),
    })?;
    let count = range.count_days();
    if count > max_days {
        return Err(format!(
            "{first} to {last} is {count} days: ask for at most {max_days} at a time"
        ));
    }
    Ok(range)
}

/// A day of the query; none if the parameter is not there.
fn parameter(query: &str, name: &str) -> Result<Option<Day>, String> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let Some((_, text)) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(format!("{name} is given more than once"));
    }
    let day = text.parse().map_err(|err| format!("{name}: {err}"))?;
    Ok(Some(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn get(target: &str) -> Result<Question, Reply> {
        route("GET", target, day("2013-06-04"), 3660)
    }

    #[track_caller]
    fn asks(target: &str, uuid: &str, first: &str, last: &str) {
        let question = Question {
            uuid: uuid.to_owned(),
            range: DayRange::new(day(first), day(last)).unwrap(),
        };
        assert_eq!(get(target), Ok(question), "{target}");
    }

    #[test]
    fn both_days_are_taken_as_written() {
        asks(
            "/usage/u1?start=2013-04-01&end=2013-04-30",
            "u1",
            "2013-04-01",
            "2013-04-30",
        );
        asks(
            "/usage/u1?end=2013-04-30&start=2013-04-01",
            "u1",
            "2013-04-01",
            "2013-04-30",
        );
        asks(
            "/usage/u1?st%61rt=2013%2D04-01",
            "u1",
            "2013-04-01",
            "2013-04-01",
        );
    }

    #[test]
    fn without_a_start_it_is_yesterday_and_without_an_end_one_day() {
        asks("/usage/u1", "u1", "2013-06-04", "2013-06-04");
        asks("/usage/u1?", "u1", "2013-06-04", "2013-06-04");
        asks(
            "/usage/u1?start=2013-04-01",
            "u1",
            "2013-04-01",
            "2013-04-01",
        );
        asks("/usage/u1?end=2013-06-05", "u1", "2013-06-04", "2013-06-05");
    }

    #[test]
    fn unknown_parameters_are_ignored() {
        asks(
            "/usage/u1?_=1&start=2013-04-01&verbose",
            "u1",
            "2013-04-01",
            "2013-04-01",
        );
    }

    #[test]
    fn a_uuid_is_decoded_once() {
        asks(
            "/usage/account%3A45?start=2013-04-01",
            "account:45",
            "2013-04-01",
            "2013-04-01",
        );
        asks(
            "/usage/a%2541%2Fb+c?start=2013-04-01",
            "a%41/b+c",
            "2013-04-01",
            "2013-04-01",
        );
    }

    #[test]
    fn the_longest_range_is_ten_years() {
        asks(
            "/usage/u1?start=2010-01-01&end=2020-01-08",
            "u1",
            "2010-01-01",
            "2020-01-08",
        );
        let message = "2010-01-01 to 2020-01-09 is 3661 days: ask for at most 3660 at a time";
        let reply = response::error(400, message);
        assert_eq!(get("/usage/u1?start=2010-01-01&end=2020-01-09"), Err(reply));
    }

    #[test]
    fn a_bad_range_is_refused_by_name() {
        for (query, message) in [
            (
                "start=2013-02-30",
                "start: 2013-02-30 is not a day of the calendar",
            ),
            (
                "end=1.4.2013",
                "end: \"1.4.2013\" is not a day: write YYYY-MM-DD",
            ),
            ("start=", "start: \"\" is not a day: write YYYY-MM-DD"),
            ("start", "start: \"\" is not a day: write YYYY-MM-DD"),
            (
                "start=2013-04-30&end=2013-04-01",
                "the end 2013-04-01 is before the start 2013-04-30",
            ),
            (
                "end=2013-04-01",
                "the end 2013-04-01 is before the start 2013-06-04 (yesterday, as no start is given)",
            ),
            (
                "start=2013-04-01&start=2013-04-01",
                "start is given more than once",
            ),
            ("end=2013-04-01&end=x", "end is given more than once"),
        ] {
            let refused = get(&format!("/usage/u1?{query}"));
            assert_eq!(refused, Err(response::error(400, message)), "{query}");
        }
    }

    #[test]
    fn there_is_one_path() {
        for target in [
            "/",
            "/usage",
            "/usage/",
            "/usage/u1/",
            "/usage/u1/x",
            "/Usage/u1",
            "*",
            "",
        ] {
            assert_eq!(get(target).unwrap_err().status, 404, "{target}");
        }
    }

    #[test]
    fn there_are_two_methods() {
        let ask =
            |method| route(method, "/usage/u1", day("2013-06-04"), 3660).map_err(|r| r.status);
        assert!(ask("HEAD").is_ok());
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(ask(method), Err(405));
        }
    }
}
