//! A table as CSV (RFC 4180), one row a line, as operators write it by hand or save it from a spreadsheet.

/// The fields of a line, without the blanks around them; else what is wrong with it.
pub fn fields(line: &str) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let field = rest[..end].trim();
                if field.contains('"') {
                    return Err(
                        "a quote is inside a field: put the field in quotes, and write it twice",
                    );
                }
                (field.to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(fields),
        }
    }
}

/// What stands in quotes, and what comes after them.
fn quoted_field(text: &str) -> Result<(String, &str), &'static str> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let Some(end) = rest.find('"') else {
            return Err("a quote does not end on this line: a row takes one line");
        };
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => break,
        }
    }
    let after = rest.trim_start();
    if !after.is_empty() && !after.starts_with(',') {
        return Err("something follows a quoted field: put a comma between them");
    }
    Ok((field, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_they_were_written() {
        let of = |line: &str| fields(line);
        assert_eq!(
            of("a, b ,,c"),
            Ok(vec!["a", "b", "", "c"]
                .into_iter()
                .map(str::to_owned)
                .collect())
        );
        assert_eq!(
            of("\"a, \"\"the\"\" one\" , \" b\",\"\""),
            Ok(vec![
                "a, \"the\" one".to_owned(),
                " b".to_owned(),
                String::new()
            ])
        );
        assert_eq!(of(""), Ok(vec![String::new()]));
        for wrong in ["a\"b", "\"a", "\"a\"b", "\"a\"\""] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
