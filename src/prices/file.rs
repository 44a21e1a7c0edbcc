//! The text of a price file. Everything that is wrong with it is reported at once, each problem with its line.

use std::collections::HashMap;

use anyhow::bail;
use rust_decimal::Decimal;

use super::list::{PriceList, PriceRow};
use super::money::Currency;
use super::table::fields;
use super::unit::PriceUnit;
use crate::day::Day;
use crate::metric::Metric;
use crate::sku::{DerivedMetric, check_metric, offering_of};
use crate::suggestion::did_you_mean;

/// The columns, in any order. Those that say what a price is for may be left out.
const COLUMNS: [&str; 9] = [
    "valid_from",
    "metric",
    "zone",
    "offering",
    "domain",
    "account",
    "unit",
    "price",
    "currency",
];

const REQUIRED: [&str; 4] = ["metric", "unit", "price", "currency"];

/// So many problems of a file are reported; there may be one in each of its rows.
const MOST_PROBLEMS: usize = 20;

/// Reads all rows, or reports all problems.
pub fn parse(file: &str, text: &str) -> anyhow::Result<PriceList> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1..).zip(text.lines());
    let mut lines = lines.by_ref().filter(|(_, line)| !line.trim().is_empty());
    let Some((at, header)) = lines.next() else {
        let names = COLUMNS.join(",");
        bail!("{file}: it is empty: begin it with the line {names}");
    };
    let places = match read_header(header) {
        Ok(places) => places,
        Err(wrong) => bail!("{file}:{at}: {wrong}"),
    };
    let mut list = PriceList {
        file: file.to_owned(),
        rows: Vec::new(),
    };
    let mut problems: Vec<String> = Vec::new();
    for (line, text) in lines {
        match read_row(line, text, &places) {
            Ok(row) => list.rows.push(row),
            Err(wrong) => problems.extend(wrong.iter().map(|one| format!("{file}:{line}: {one}"))),
        }
    }
    problems.extend(find_twins(file, &list.rows));
    if problems.len() > MOST_PROBLEMS {
        let more = problems.len() - MOST_PROBLEMS;
        problems.truncate(MOST_PROBLEMS);
        problems.push(format!("{file}: and {more} more problems"));
    }
    if !problems.is_empty() {
        bail!(problems.join("\n"));
    }
    Ok(list)
}

/// Where the columns are.
struct PriceColumns {
    names: HashMap<String, usize>,
    count: usize,
}

fn read_header(line: &str) -> Result<PriceColumns, String> {
    let names = fields(line)?;
    let mut places = HashMap::new();
    for (place, name) in names.iter().enumerate() {
        if !COLUMNS.contains(&name.as_str()) {
            let hint = match line.contains(';') {
                true => ": put commas between columns, not semicolons".to_owned(),
                false => did_you_mean(name, COLUMNS),
            };
            return Err(format!("there is no column {name:?}{hint}"));
        }
        if places.insert(name.clone(), place).is_some() {
            return Err(format!("the column {name} is there twice: leave one out"));
        }
    }
    let missing: Vec<&str> = REQUIRED
        .into_iter()
        .filter(|name| !places.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(format!("the header lacks {missing}: add it"));
    }
    Ok(PriceColumns {
        names: places,
        count: names.len(),
    })
}

fn read_row(line: usize, text: &str, places: &PriceColumns) -> Result<PriceRow, Vec<String>> {
    let fields = fields(text).map_err(|wrong| vec![wrong.to_owned()])?;
    if fields.len() != places.count {
        return Err(vec![format!(
            "{} fields under {} columns: put a comma for each empty field, and a field with a comma in quotes",
            fields.len(),
            places.count
        )]);
    }
    let field = |name: &str| places.names.get(name).map_or("", |place| &fields[*place]);
    let given = |name: &str| {
        let text = field(name);
        (!text.is_empty()).then(|| text.to_owned())
    };
    let mut problems = Vec::new();
    let valid_from = read_day(field("valid_from"), &mut problems);
    let metric = field("metric");
    let unit = match read_metric(metric, given("offering").as_deref()) {
        Ok(of) => PriceUnit::find(field("unit"), metric, of),
        Err(wrong) => Err(wrong),
    };
    let unit = unit.map_err(|wrong| problems.push(wrong)).ok();
    let price = read_price(field("price"))
        .map_err(|wrong| problems.push(wrong))
        .ok();
    let currency: Option<Currency> = field("currency").parse().ok();
    if currency.is_none() {
        let text = field("currency");
        problems.push(format!(
            "{text:?} is no currency: write its code, such as EUR"
        ));
    }
    match (unit, price, currency) {
        (Some(unit), Some(price), Some(currency)) if problems.is_empty() => Ok(PriceRow {
            line,
            valid_from,
            metric: metric.to_owned(),
            zone: given("zone"),
            offering: given("offering"),
            domain: given("domain"),
            account: given("account"),
            unit,
            price,
            currency,
        }),
        _ => Err(problems),
    }
}

fn read_day(text: &str, problems: &mut Vec<String>) -> Option<Day> {
    if text.is_empty() {
        return None;
    }
    let day = text.parse::<Day>();
    if day.is_err() {
        problems.push(format!(
            "valid_from: {text:?} is no day: write YYYY-MM-DD, or nothing for always"
        ));
    }
    day.ok()
}

/// The unit of a metric that may have this offering.
fn read_metric(name: &str, offering: Option<&str>) -> Result<&'static str, String> {
    if name.is_empty() {
        return Err("the metric is empty: name one, such as vm_running".to_owned());
    }
    check_metric(name)?;
    let derived = DerivedMetric::of_name(name);
    let metric = derived
        .map(DerivedMetric::base)
        .or_else(|| Metric::of_name(name));
    let Some(metric) = metric else {
        return Err(format!("no metric is called {name:?}"));
    };
    if offering.is_some() && offering_of(metric).is_none() {
        return Err(format!("{name} has no offerings: leave the offering empty"));
    }
    Ok(derived.map_or(metric.unit(), DerivedMetric::unit))
}

fn read_price(text: &str) -> Result<Decimal, String> {
    if text.is_empty() {
        return Err("the price is empty: write 0 for what is free".to_owned());
    }
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match Decimal::from_str_exact(text) {
        Ok(price) if is_number => Ok(price),
        _ if text.contains(',') => Err(format!("{text:?} is no price: write a decimal point")),
        _ => Err(format!(
            "{text:?} is no price: write digits such as 0.015, without a sign or currency"
        )),
    }
}

/// Rows of which nobody could say which one counts.
fn find_twins(file: &str, rows: &[PriceRow]) -> Vec<String> {
    let mut seen: HashMap<_, usize> = HashMap::new();
    let mut problems = Vec::new();
    for row in rows {
        let key = (
            [&row.zone, &row.offering, &row.domain, &row.account],
            &row.metric,
            row.valid_from,
        );
        if let Some(before) = seen.insert(key, row.line) {
            problems.push(format!(
                "{file}:{}: it is for the same as line {before}, from the same day on: leave one out",
                row.line
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "valid_from,metric,zone,offering,domain,account,unit,price,currency\n";

    fn wrong(rows: &str) -> String {
        let text = format!("{HEADER}{rows}");
        parse("p.csv", &text).unwrap_err().to_string()
    }

    #[test]
    fn rows_are_read_with_what_they_leave_open() {
        let text = format!(
            "\u{feff}{HEADER}\r\n2026-10-15,vm_running,sto1,\"Large, old\",/a/,acme,hour,0.10,EUR\r\n\
             ,network_bytes_sent,,,,,GiB,0,SEK\n"
        );
        let list = parse("p.csv", &text).unwrap();
        assert_eq!(list.rows.len(), 2);
        let row = &list.rows[0];
        assert_eq!((row.line, list.place(row).as_str()), (3, "p.csv:3"));
        assert_eq!(row.offering.as_deref(), Some("Large, old"));
        assert_eq!(row.valid_from.unwrap().to_string(), "2026-10-15");
        assert_eq!(row.price.to_string(), "0.10");
        let row = &list.rows[1];
        assert_eq!(row.valid_from, None);
        assert_eq!(
            [&row.zone, &row.offering, &row.domain, &row.account],
            [&None; 4]
        );
        assert_eq!(
            (row.unit.name, row.currency.to_string().as_str()),
            ("GiB", "SEK")
        );
    }

    #[test]
    fn columns_come_in_any_order_and_may_be_left_out() {
        let list = parse("p.csv", "price,unit,currency,metric\n1.5,hour,EUR,vpc\n").unwrap();
        assert_eq!(list.rows[0].metric, "vpc");
        let of = |text: &str| parse("p.csv", text).unwrap_err().to_string();
        assert_eq!(
            of("\n"),
            "p.csv: it is empty: begin it with the line \
             valid_from,metric,zone,offering,domain,account,unit,price,currency"
        );
        assert_eq!(
            of("\nmetric,price\n"),
            "p.csv:2: the header lacks unit, currency: add it"
        );
        assert_eq!(
            of("metric,ofering\n"),
            "p.csv:1: there is no column \"ofering\": did you mean offering?"
        );
        assert_eq!(
            of("metric;unit\n"),
            "p.csv:1: there is no column \"metric;unit\": put commas between columns, not semicolons"
        );
        assert_eq!(
            of("metric,metric\n"),
            "p.csv:1: the column metric is there twice: leave one out"
        );
    }

    #[test]
    fn all_that_is_wrong_is_said_with_its_line() {
        assert_eq!(
            wrong(
                "2026-13-01,vm_runing,,,,,hour,0.1,EUR\n\
                 ,vm_running,,,,,GiB,\"0,1\",eur\n\
                 ,network_bytes_sent,,Large,,,GiB,1,EUR\n\
                 ,vm_running,,,,,hour,-1,EUR\n\
                 ,vm_running,,,,,hour,,EUR\n\
                 ,vm_running,,,,hour,1,EUR\n\
                 ,vm_running,\"x,,,,hour,1,EUR\n\
                 ,,,,,,hour,1,EUR\n\
                 ,usage_type_1,,,,,hour,1,EUR\n"
            ),
            "p.csv:2: valid_from: \"2026-13-01\" is no day: write YYYY-MM-DD, or nothing for always\n\
             p.csv:2: no metric is called \"vm_runing\": did you mean vm_running or vm_running_vcpu_hours?\n\
             p.csv:3: GiB is a unit of bytes, and vm_running is in hours: write one of hour, month, month-730\n\
             p.csv:3: \"0,1\" is no price: write a decimal point\n\
             p.csv:3: \"eur\" is no currency: write its code, such as EUR\n\
             p.csv:4: network_bytes_sent has no offerings: leave the offering empty\n\
             p.csv:5: \"-1\" is no price: write digits such as 0.015, without a sign or currency\n\
             p.csv:6: the price is empty: write 0 for what is free\n\
             p.csv:7: 8 fields under 9 columns: put a comma for each empty field, and a field with a comma in quotes\n\
             p.csv:8: a quote does not end on this line: a row takes one line\n\
             p.csv:9: the metric is empty: name one, such as vm_running\n\
             p.csv:10: usage_type_1 is kept as vm_running"
        );
    }

    #[test]
    fn two_rows_for_the_same_are_one_too_many() {
        assert_eq!(
            wrong(
                ",vm_running,,Large,,,hour,1,EUR\n\
                 2026-01-01,vm_running,,Large,,,hour,1,EUR\n\
                 ,vm_running,,Large,,,month,2,SEK\n"
            ),
            "p.csv:4: it is for the same as line 2, from the same day on: leave one out"
        );
        let many: String = (0..25).map(|_| ",vm_running,,,,,hour,x,EUR\n").collect();
        let said = wrong(&many);
        assert_eq!(said.lines().count(), 21);
        assert!(said.ends_with("p.csv: and 5 more problems"), "{said}");
    }
}
