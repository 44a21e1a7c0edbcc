//! What a client accepts: the `Accept…` headers, and the entity tags it has. Pure: texts in, choices out.

use crate::http::refusal::Problem;
use crate::output::Format;

/// The formats of answers, in order of preference.
pub const FORMATS: [(Format, &str); 3] = [
    (Format::Json, "application/json"),
    (Format::Csv, "text/csv"),
    (Format::Xlsx, WORKBOOK),
];

/// What a workbook is called.
pub const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// By `?format=`, else by `Accept`; without either it is JSON.
pub fn format(
    asked: Option<usize>,
    accept: Option<&str>,
    formats: &[(Format, &str)],
) -> Result<Format, Problem> {
    if let Some(place) = asked {
        return Ok(FORMATS[place].0);
    }
    let Some(accept) = accept else {
        return Ok(formats[0].0);
    };
    let ranked = formats
        .iter()
        .map(|(format, name)| (*format, weight(accept, name)));
    // Of those with equal weight, the first.
    let best = ranked.rev().max_by_key(|(_, weight)| *weight);
    match best {
        Some((format, weight)) if weight > 0 => Ok(format),
        _ => {
            let names: Vec<&str> = formats.iter().map(|(_, name)| *name).collect();
            let allows = match names[..] {
                [_] => "does not allow it",
                _ => "allows none of them",
            };
            let detail = format!("this comes as {}, and Accept {allows}", names.join(" or "));
            Err(Problem::new(406, detail))
        }
    }
}

/// The index of the media type with the highest weight; of several, the first.
pub fn first_choice(accept: Option<&str>, names: &[&str]) -> usize {
    let weights = names
        .iter()
        .map(|name| weight(accept.unwrap_or_default(), name));
    let ranked = weights.enumerate().rev();
    ranked
        .max_by_key(|(_, weight)| *weight)
        .map_or(0, |(place, _)| place)
}

/// The weight of a media type in thousandths, by the most specific range that covers it.
fn weight(accept: &str, name: &str) -> u16 {
    let kind = name.split('/').next().unwrap_or(name);
    let specificity = |range: &str| match range {
        range if range.eq_ignore_ascii_case(name) => Some(2),
        "*/*" => Some(0),
        range => {
            let (had, rest) = range.split_once('/')?;
            (rest == "*" && had.eq_ignore_ascii_case(kind)).then_some(1)
        }
    };
    elements(accept)
        .filter_map(|(range, weight)| Some((specificity(range)?, weight)))
        .max()
        .map_or(0, |(_, weight)| weight)
}

/// Whether `Accept-Encoding` allows gzip.
pub fn takes_gzip(accept_encoding: Option<&str>) -> bool {
    let listed = |name: &str| {
        let mut elements = elements(accept_encoding.unwrap_or_default());
        let found = elements.find(|(coding, _)| coding.eq_ignore_ascii_case(name));
        found.map(|(_, weight)| weight > 0)
    };
    listed("gzip").or_else(|| listed("*")).unwrap_or(false)
}

/// The elements of a list such as `text/csv;q=0.5, */*`, with their weights in thousandths.
fn elements(list: &str) -> impl Iterator<Item = (&str, u16)> {
    list.split(',').filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight = parts.find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then_some(value.trim())
        });
        Some((name, weight.map_or(1000, thousandths)))
    })
}

/// `0.5` is 500. A weight that cannot be read is ignored.
fn thousandths(text: &str) -> u16 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.bytes().all(|byte| byte.is_ascii_digit()) && decimals.len() <= 3;
    match (whole, digits) {
        ("0", true) => format!("{decimals:0<3}").parse().unwrap_or(1000),
        _ => 1000,
    }
}

/// Whether a client has this answer already. The comparison is the weak one, as for every `If-None-Match`.
pub fn has(if_none_match: Option<&str>, tag: &str) -> bool {
    let tags = if_none_match.unwrap_or_default().split(',').map(str::trim);
    tags.map(|had| had.strip_prefix("W/").unwrap_or(had))
        .any(|had| had == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str) -> Option<Format> {
        format(None, Some(accept), &FORMATS).ok()
    }

    #[test]
    fn the_most_welcome_format_is_chosen() {
        for (accept, expected) in [
            ("application/json", Some(Format::Json)),
            ("text/csv", Some(Format::Csv)),
            ("TEXT/CSV; charset=utf-8", Some(Format::Csv)),
            ("text/*", Some(Format::Csv)),
            ("*/*", Some(Format::Json)),
            (
                "text/html,application/xhtml+xml,*/*;q=0.8",
                Some(Format::Json),
            ),
            ("text/csv;q=0.5, application/json;q=0.4", Some(Format::Csv)),
            ("text/csv, application/json", Some(Format::Json)),
            ("*/*, application/json;q=0.1", Some(Format::Csv)),
            ("application/json;q=0, */*;q=0.001", Some(Format::Csv)),
            ("application/json;q=0", None),
            ("application/json;q=0.000", None),
            ("image/png", None),
            ("", None),
        ] {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
        assert_eq!(format(None, None, &FORMATS), Ok(Format::Json));
        assert_eq!(
            format(Some(1), Some("image/png"), &FORMATS),
            Ok(Format::Csv)
        );
        let refused = format(None, Some("image/png"), &FORMATS).unwrap_err();
        assert_eq!(
            refused.detail,
            format!(
                "this comes as application/json or text/csv or {WORKBOOK}, and Accept allows none of them"
            )
        );
    }

    #[test]
    fn gzip_is_sent_only_to_who_asks() {
        for (accept, expected) in [
            (None, false),
            (Some(""), false),
            (Some("gzip"), true),
            (Some("deflate, GZIP;q=0.1"), true),
            (Some("gzip;q=0, *"), false),
            (Some("*"), true),
            (Some("br"), false),
            (Some("identity"), false),
        ] {
            assert_eq!(takes_gzip(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn tags_are_compared_in_a_list() {
        let tag = "\"17-00ff\"";
        for (header, expected) in [
            (None, false),
            (Some("\"17-00ff\""), true),
            (Some("\"a\", W/\"17-00ff\""), true),
            (Some("17-00ff"), false),
            (Some("\"17-00fe\""), false),
        ] {
            assert_eq!(has(header, tag), expected, "{header:?}");
        }
    }
}
