//! Which columns a table would show if there were room for all: those that people choose, or those that are for
//! people and have something to show.

use std::collections::HashMap;

use anyhow::{bail, ensure};

use super::cell;
use crate::output::document::{Column, Document, Overlong, Value, Weight};

/// A column of a table.
pub struct ShownColumn {
    /// Its place in the document's rows.
    pub place: usize,
    pub name: &'static str,
    pub heading: &'static str,
    pub weight: Weight,
    pub overlong: Overlong,
}

/// Columns in the order of the table.
pub fn shown(document: &Document, wanted: &[String]) -> anyhow::Result<Vec<ShownColumn>> {
    if !wanted.is_empty() {
        return chosen(&document.columns, wanted);
    }
    let headings = headings(document);
    let columns = document.columns.iter().zip(headings).enumerate();
    let shown = columns.filter_map(|(place, (column, heading))| {
        Some(ShownColumn {
            place,
            name: column.name,
            heading: heading?,
            weight: match column.heading {
                Some(_) if says_the_same(document, place) => Weight::Detail,
                Some(_) => column.weight,
                // Rows could not be told apart without it.
                None => Weight::Key,
            },
            overlong: column.overlong,
        })
    });
    // A column of nothing but dashes is left out.
    let has_something = |column: &ShownColumn| {
        let mut values = document.rows.iter().map(|row| &row[column.place]);
        values.any(|value| !cell::is_empty(value))
    };
    Ok(shown.filter(has_something).collect())
}

/// Whether a column has the same words in all of several rows.
fn says_the_same(document: &Document, place: usize) -> bool {
    let mut values = document.rows.iter().map(|row| &row[place]);
    let first = values.next();
    document.rows.len() > 1
        && first.is_some_and(|first| !cell::is_number(first) && !matches!(first, Value::Chart(_)))
        && values.all(|value| Some(value) == first)
}

/// Columns by their names or headings. What is named first matters most.
pub fn chosen(columns: &[Column], wanted: &[String]) -> anyhow::Result<Vec<ShownColumn>> {
    let mut chosen: Vec<ShownColumn> = Vec::new();
    for word in wanted {
        let named = columns.iter().position(|column| column.name == word);
        let headed = || {
            columns
                .iter()
                .position(|column| column.heading == Some(word))
        };
        let Some(place) = named.or_else(headed) else {
            let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            bail!(
                "--columns: there is no column {word:?}; there are {}",
                names.join(", ")
            );
        };
        ensure!(
            chosen.iter().all(|column| column.place != place),
            "--columns names {} twice",
            columns[place].name
        );
        let column = columns[place];
        chosen.push(ShownColumn {
            place,
            name: column.name,
            heading: column.heading.unwrap_or(column.name),
            weight: Weight::Plain,
            overlong: column.overlong,
        });
    }
    Ok(chosen)
}

/// The headings of the columns. Where rows of one name are of several accounts, projects or domains, a column that programs see
/// shows people which is which: the domain, or else the uuid.
fn headings(document: &Document) -> Vec<Option<&'static str>> {
    let columns = &document.columns;
    let mut headings: Vec<_> = columns.iter().map(|column| column.heading).collect();
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    for (name, uuid) in [
        ("account_name", "account_uuid"),
        ("project_name", "project_uuid"),
        ("domain_path", "domain_uuid"),
    ] {
        let (Some(name), Some(uuid)) = (place(name), place(uuid)) else {
            continue;
        };
        if headings[name].is_none() || headings[uuid].is_some() {
            continue;
        }
        if !collide(document, &[name], uuid) {
            continue;
        }
        match place("domain_path") {
            Some(domain) if !collide(document, &[name, domain], uuid) => {
                headings[domain] = headings[domain].or(Some("domain"));
            }
            Some(_) | None => headings[uuid] = Some("uuid"),
        }
    }
    headings
}

/// Whether rows with the same in these columns have several uuids.
fn collide(document: &Document, same: &[usize], uuid: usize) -> bool {
    let mut uuids: HashMap<Vec<String>, &Value> = HashMap::new();
    document.rows.iter().any(|row| {
        let key = same.iter().map(|place| cell::text(&row[*place])).collect();
        *uuids.entry(key).or_insert(&row[uuid]) != &row[uuid]
    })
}
