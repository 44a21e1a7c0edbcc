//! The query of a request under `/v1`, read strictly: a parameter that is unknown or given twice is refused by its
//! name, so that a typing error never widens what is asked for.

use crate::day::{Day, DayRange};
use crate::ledger::read::totals::Granularity;
use crate::month::Month;
use crate::sku;

use crate::http::refusal::Problem;

/// May be given several times.
const REPEATED: &str = "metric";

/// Rows of one page if nothing else is asked for, and at most.
pub const PAGE: u32 = 100;
pub const LONGEST_PAGE: u32 = 1000;

/// Names and values, decoded.
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Refuses whatever is not among `known`.
    pub fn parse(text: &str, known: &[&str]) -> Result<Query, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let takes = match known {
                    [] => "none".to_owned(),
                    known => known.join(", "),
                };
                let detail = format!("{name:?} is not a parameter here: there are {takes}");
                return Err(Problem::of_parameter(&name, detail));
            }
            if name != REPEATED && pairs.iter().any(|(had, _)| *had == name) {
                let detail = format!("{name} is given more than once");
                return Err(Problem::of_parameter(&name, detail));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Query { pairs })
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        let (_, value) = pairs.find(|(had, _)| had == name)?;
        Some(value)
    }

    /// One of a few words, by its place among them.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<usize>, Problem> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let place = words.iter().position(|word| *word == value);
        place.map(Some).ok_or_else(|| {
            let detail = format!("{name}: {value:?} is not one of {}", words.join(", "));
            Problem::of_parameter(name, detail)
        })
    }

    /// `month`, or `start` and `end`, where a start alone is one day.
    pub fn period(&self, max_days: i64) -> Result<DayRange, Problem> {
        self.optional_period(max_days)?.ok_or_else(|| {
            let detail = "which days? give month=YYYY-MM, or start=YYYY-MM-DD and end=YYYY-MM-DD";
            Problem::of_parameter("start", detail)
        })
    }

    pub fn optional_period(&self, max_days: i64) -> Result<Option<DayRange>, Problem> {
        let month = self.parsed("month", |text| {
            text.parse::<Month>().map_err(|err| err.to_string())
        })?;
        let day = |text: &str| text.parse::<Day>().map_err(|err| err.to_string());
        let (start, end) = (self.parsed("start", day)?, self.parsed("end", day)?);
        let range = match (month, start, end) {
            (None, None, None) => return Ok(None),
            (Some(month), None, None) => month.days(),
            (Some(_), _, _) => {
                let detail = "month is given beside start or end: give one or the other";
                return Err(Problem::of_parameter("month", detail));
            }
            (None, None, Some(_)) => {
                return Err(Problem::of_parameter("end", "end is given without start"));
            }
            (None, Some(start), end) => DayRange::new(start, end.unwrap_or(start))
                .map_err(|err| Problem::of_parameter("end", err.to_string()))?,
        };
        let count = range.count_days();
        if count > max_days {
            let (first, last) = (range.first(), range.last());
            let detail =
                format!("{first} to {last} is {count} days: ask for at most {max_days} at a time");
            return Err(Problem::of_parameter("end", detail));
        }
        Ok(Some(range))
    }

    pub fn granularity(&self) -> Result<Granularity, Problem> {
        let word = self.word("granularity", &["total", "day", "month"])?;
        Ok(match word {
            Some(1) => Granularity::Day,
            Some(2) => Granularity::Month,
            _ => Granularity::Total,
        })
    }

    /// None: all. A name that no metric has is refused: a typing error must not look like no usage.
    pub fn metrics(&self) -> Result<Vec<String>, Problem> {
        let given = self.pairs.iter().filter(|(name, _)| name == REPEATED);
        given
            .map(|(_, name)| match sku::check_metric(name) {
                Ok(()) => Ok(name.clone()),
                Err(why) => Err(Problem::of_parameter(REPEATED, why)),
            })
            .collect()
    }

    /// Whether an incomplete answer is unwelcome.
    pub fn requires_complete(&self) -> Result<bool, Problem> {
        Ok(self.word("require", &["complete"])?.is_some())
    }

    pub fn limit(&self) -> Result<Option<u32>, Problem> {
        self.parsed("limit", |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.then(|| text.parse().ok()).flatten();
            let within = number.filter(|number| (1..=LONGEST_PAGE).contains(number));
            within.ok_or_else(|| format!("{text:?} is not a whole number from 1 to {LONGEST_PAGE}"))
        })
    }

    fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let parsed = self.get(name).map(parse).transpose();
        parsed.map_err(|err| Problem::of_parameter(name, format!("{name}: {err}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 6] = ["start", "end", "month", "metric", "limit", "granularity"];

    fn query(text: &str) -> Query {
        let parsed = Query::parse(text, &KNOWN);
        parsed.unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
    }

    fn period(text: &str) -> Result<String, String> {
        let range = query(text).period(3660).map_err(|problem| problem.detail)?;
        Ok(format!("{} {}", range.first(), range.last()))
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused_by_name() {
        for (text, name, detail) in [
            (
                "strat=1",
                "strat",
                "\"strat\" is not a parameter here: there are start, end, month, metric, limit, granularity",
            ),
            ("limit=1&limit=1", "limit", "limit is given more than once"),
            (
                "=1",
                "",
                "\"\" is not a parameter here: there are start, end, month, metric, limit, granularity",
            ),
        ] {
            let problem = Query::parse(text, &KNOWN).err().unwrap();
            assert_eq!((problem.status, problem.detail.as_str()), (400, detail));
            assert_eq!(problem.members["parameter"], name);
        }
        let none = Query::parse("a", &[]).err().unwrap();
        assert_eq!(none.detail, "\"a\" is not a parameter here: there are none");
        assert!(Query::parse("", &[]).is_ok());
    }

    #[test]
    fn a_period_is_a_month_or_days() {
        for (text, expected) in [
            ("month=2013-06", Ok("2013-06-01 2013-06-30")),
            (
                "start=2013-06-01&end=2013-06-02",
                Ok("2013-06-01 2013-06-02"),
            ),
            ("start=2013-06-01", Ok("2013-06-01 2013-06-01")),
            (
                "",
                Err("which days? give month=YYYY-MM, or start=YYYY-MM-DD and end=YYYY-MM-DD"),
            ),
            ("end=2013-06-01", Err("end is given without start")),
            (
                "month=2013-06&end=2013-06-01",
                Err("month is given beside start or end: give one or the other"),
            ),
            ("month=", Err("month: \"\" is not a month: write YYYY-MM")),
            (
                "start=1.6.2013",
                Err("start: \"1.6.2013\" is not a day: write YYYY-MM-DD"),
            ),
            (
                "start=2013-06-02&end=2013-06-01",
                Err("the end 2013-06-01 is before the start 2013-06-02"),
            ),
            (
                "start=2010-01-01&end=2020-01-09",
                Err("2010-01-01 to 2020-01-09 is 3661 days: ask for at most 3660 at a time"),
            ),
        ] {
            assert_eq!(
                period(text),
                expected.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        }
        assert_eq!(query("").optional_period(1), Ok(None));
    }

    #[test]
    fn metrics_are_known_by_name() {
        let metrics = query("metric=vm_running&metric=usage_type_99&metric=vm_running").metrics();
        assert_eq!(
            metrics.unwrap(),
            ["vm_running", "usage_type_99", "vm_running"]
        );
        for (wrong, nearest) in [
            (
                "vm_runing",
                ": did you mean vm_running or vm_running_vcpu_hours?",
            ),
            (
                "vm_alocated_vcpu_hours",
                ": did you mean vm_allocated_vcpu_hours, vm_allocated or vm_allocated_memory_byte_hours?",
            ),
            ("", ""),
            ("usage_type_099", ""),
        ] {
            let problem = query(&format!("metric={wrong}")).metrics().unwrap_err();
            assert_eq!(
                problem.detail,
                format!("no metric is called {wrong:?}{nearest}")
            );
        }
        let number = query("metric=usage_type_8").metrics().unwrap_err();
        assert_eq!(
            number.detail,
            "usage_type_8 is kept as secondary_byte_hours"
        );
    }

    #[test]
    fn numbers_and_words_are_exact() {
        assert_eq!(query("limit=1000").limit(), Ok(Some(1000)));
        for wrong in ["0", "1001", "+1", "", "1.0", "99999999999"] {
            let problem = query(&format!("limit={}", wrong.replace('+', "%2B")))
                .limit()
                .unwrap_err();
            let detail = format!("limit: {wrong:?} is not a whole number from 1 to 1000");
            assert_eq!(problem.detail, detail);
        }
        assert_eq!(
            query("granularity=month").granularity(),
            Ok(Granularity::Month)
        );
        let problem = query("granularity=Day").granularity().unwrap_err();
        assert_eq!(
            problem.detail,
            "granularity: \"Day\" is not one of total, day, month"
        );
    }
}
