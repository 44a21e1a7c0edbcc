//! The few terms in which the dialects differ. Statements are written as SQLite takes them, and respelled here for
//! MySQL and MariaDB; `||` is the same by the session's `sql_mode`.

use std::borrow::Cow;

use super::value::{Params, SqlValue};

/// What is one word for another.
const WORDS: [(&str, &str); 9] = [
    // Both take the tables in the order in which they are written.
    ("cross join", "straight_join"),
    ("iif(", "if("),
    ("as integer)", "as signed)"),
    (
        "json_each(:accounts)",
        "json_table(:accounts, '$[*]' columns (value bigint path '$')) as ids",
    ),
    (
        "json_each(:only)",
        "json_table(:only, '$[*]' columns (value bigint path '$')) as ids",
    ),
    (
        "json_each(:hidden)",
        "json_table(:hidden, '$[*]' columns (value json path '$')) as hidden",
    ),
    ("json_extract(value, '$[0]')", "json_value(value, '$[0]')"),
    // As bytes, whatever the collation of what they are compared with.
    (
        "json_extract(value, '$[1]')",
        "cast(json_value(value, '$[1]') as binary)",
    ),
    (
        "json_extract(value, '$[2]')",
        "cast(json_value(value, '$[2]') as binary)",
    ),
];

/// The statement as MySQL takes it, with lists of ids written out.
pub fn respelled<'a>(sql: &'a str, params: Params) -> Cow<'a, str> {
    let mut spelled = Cow::Borrowed(sql);
    for (from, to) in WORDS {
        if spelled.contains(from) {
            spelled = Cow::Owned(spelled.replace(from, to));
        }
    }
    for (name, value) in params {
        if let SqlValue::Ids(ids) = value {
            let list = spelled.replace(&format!("rarray({name})"), &list(ids));
            spelled = Cow::Owned(list);
        }
    }
    match spelled.find(" on conflict") {
        Some(start) => Cow::Owned(upsert(&spelled, start)),
        None => spelled,
    }
}

/// `on conflict (a) do update set b = excluded.b` is `on duplicate key update b = values(b)`.
fn upsert(sql: &str, start: usize) -> String {
    let (insert, rest) = sql.split_at(start);
    let (_, set) = rest.split_once(" do update set ").unwrap_or(("", rest));
    let mut spelled = format!("{insert} on duplicate key update ");
    let mut parts = set.split("excluded.");
    spelled.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (column, rest) = part.split_at(end.unwrap_or(part.len()));
        spelled.push_str(&format!("values({column}){rest}"));
    }
    spelled
}

fn list(ids: &[i64]) -> String {
    if ids.is_empty() {
        return "(null)".to_owned();
    }
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("({})", ids.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::params;

    #[test]
    fn what_differs_is_respelled_and_nothing_else() {
        let plain = "select day from stored_days where day = :day";
        assert!(matches!(respelled(plain, params! {}), Cow::Borrowed(sql) if sql == plain));
        assert_eq!(
            respelled(
                "select iif(a, 1, 2) from a cross join b where id in rarray(:ids) and c in rarray(:none)",
                params! {":ids": [1, -2].as_slice(), ":none": [].as_slice()},
            ),
            "select if(a, 1, 2) from a straight_join b where id in (1, -2) and c in (null)"
        );
        assert_eq!(
            respelled(
                "insert into a (b, c) values (:b, :c) on conflict (b) do update set b = excluded.b, c = excluded.c + 1",
                params! {},
            ),
            "insert into a (b, c) values (:b, :c) on duplicate key update b = values(b), c = values(c) + 1"
        );
    }
}
