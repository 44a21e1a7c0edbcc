//! Zone names as `java.util.TimeZone` reads them: IANA names in exact case, a few three-letter ids,
//! and custom ids such as `GMT+2`. Anything else Java takes for GMT without a word; here it is refused
//! with a hint.

/// Java's own ids for zones of the database. (`EST`, `MST` and `HST` are names of the database.)
const SHORT_IDS: [(&str, &str); 25] = [
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// Names of the database that Java does not know.
const NOT_IN_JAVA: [&str; 2] = ["Factory", "ROC"];

/// The name in the time zone database of a zone that Java knows, in exact case.
pub fn database_name(name: &str) -> Option<&str> {
    let short = SHORT_IDS.iter().find(|(id, _)| *id == name);
    let long = || known_names().find(|known| *known == name);
    short.map(|(_, zone)| *zone).or_else(long)
}

/// Seconds east of Greenwich of a custom id: `GMT`, a sign, and `h`, `hh`, `hmm`, `hhmm`, `h:mm` or
/// `hh:mm`, from 00:00 to 23:59.
pub fn offset_of(name: &str) -> Option<i64> {
    let signed = name.strip_prefix("GMT")?;
    let (sign, digits) = match signed.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, signed.strip_prefix('+')?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let number = |text: &str, highest: i64| {
        let shaped = matches!(text.len(), 1..=2) && text.bytes().all(|b| b.is_ascii_digit());
        let value: i64 = text.parse().ok()?;
        (shaped && value <= highest).then_some(value)
    };
    Some(sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60))
}

/// Says why a name is refused and what to write instead.
pub fn refusal(name: &str) -> String {
    let advice = match intended(name) {
        Some(meant) => format!("{meant} here and there"),
        None => "a name such as Europe/Stockholm or GMT+2 here and there".to_owned(),
    };
    format!(
        "{name:?} is not a known time zone, and CloudStack reads an unknown one as GMT: \
         write GMT if CloudStack is set to this name, else {advice}"
    )
}

/// The zone that a refused name looks like.
fn intended(name: &str) -> Option<String> {
    let name = name.trim();
    let upper = name.to_ascii_uppercase();
    let offset = ["GMT", "UTC", "UT", ""]
        .iter()
        .find_map(|prefix| upper.strip_prefix(prefix))
        .map(|rest| format!("GMT{}", rest.trim_start()))
        .filter(|custom| offset_of(custom).is_some());
    let ids = SHORT_IDS.iter().map(|(id, _)| *id);
    let in_other_case = || {
        ids.chain(known_names())
            .find(|known| known.eq_ignore_ascii_case(name))
            .map(str::to_owned)
    };
    offset.or_else(in_other_case)
}

fn known_names() -> impl Iterator<Item = &'static str> {
    tzdb::TZ_NAMES
        .iter()
        .copied()
        .filter(|name| !NOT_IN_JAVA.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_short_id_names_a_zone_of_the_database() {
        for (id, zone) in SHORT_IDS {
            assert!(tzdb::tz_by_name(zone).is_some(), "{id} {zone}");
            assert_eq!(database_name(id), Some(zone));
        }
    }

    #[test]
    fn reads_custom_ids_as_java_does() {
        for (id, seconds) in [
            ("GMT+2", Some(7200)),
            ("GMT-03:00", Some(-10_800)),
            ("GMT+0530", Some(19_800)),
            ("GMT+530", Some(19_800)),
            ("GMT+5:30", Some(19_800)),
            ("GMT+05", Some(18_000)),
            ("GMT+0", Some(0)),
            ("GMT-23:59", Some(-86_340)),
            ("GMT+24", None),
            ("GMT+1:60", None),
            ("GMT+5:3", None),
            ("GMT+1:00:00", None),
            ("GMT+", None),
            ("GMT++2", None),
            ("GMT+12345", None),
            ("GMT+é2", None),
            ("GMT", None),
            ("UTC+2", None),
            ("gmt+2", None),
        ] {
            assert_eq!(offset_of(id), seconds, "{id}");
        }
    }

    #[test]
    fn a_name_that_java_takes_for_gmt_is_refused_with_a_hint() {
        for (name, advice) in [
            ("UTC+2", "GMT+2 here"),
            ("utc +02:00", "GMT+02:00 here"),
            ("+0530", "GMT+0530 here"),
            ("europe/stockholm", "Europe/Stockholm here"),
            (" Europe/Stockholm", "Europe/Stockholm here"),
            ("pst", "PST here"),
            ("GMT+25", "a name such as Europe/Stockholm or GMT+2 here"),
            ("", "a name such as Europe/Stockholm or GMT+2 here"),
            ("CEST", "a name such as Europe/Stockholm or GMT+2 here"),
            ("ROC", "a name such as Europe/Stockholm or GMT+2 here"),
            ("Factory", "a name such as Europe/Stockholm or GMT+2 here"),
        ] {
            assert_eq!(database_name(name).or(offset_of(name).map(|_| "")), None);
            let text = refusal(name);
            assert!(text.contains(&format!("else {advice} and there")), "{text}");
            assert!(text.starts_with(&format!("{name:?} is not a known time zone")));
        }
    }
}
