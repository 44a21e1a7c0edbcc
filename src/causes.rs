//! An error and its causes as one line.

/// The error and its causes. Many an error says its cause as well, or is said again by its cause with a code before it:
/// what repeats all of a message is left out.
pub fn in_one_line(err: &anyhow::Error) -> String {
    let mut line = String::new();
    let mut above = String::new();
    for cause in err.chain().map(ToString::to_string) {
        let repeats = cause == above
            || above.ends_with(&format!(": {cause}"))
            || cause.ends_with(&format!(": {above}"));
        if line.is_empty() {
            line = cause.clone();
        } else if !repeats {
            line = format!("{line}: {cause}");
        }
        above = cause;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(messages: &[&str]) -> String {
        let mut causes = messages.iter().rev();
        let first = causes.next().unwrap().to_string();
        let err = causes.fold(anyhow::Error::msg(first), |err, message| {
            err.context(message.to_string())
        });
        in_one_line(&err)
    }

    #[test]
    fn what_repeats_all_of_a_message_is_left_out() {
        for (messages, expected) in [
            (&["import", "read", "refused"][..], "import: read: refused"),
            (&["read: refused", "refused"], "read: refused"),
            (&["read", "refused", "refused"], "read: refused"),
            (
                &["ledger", "disk I/O error", "Error code 10: disk I/O error"],
                "ledger: disk I/O error",
            ),
        ] {
            assert_eq!(line(messages), expected);
        }
    }

    #[test]
    fn a_cause_that_ends_like_a_message_is_not_left_out() {
        for (messages, expected) in [
            (
                &["read cloud_usage: refused", "db.example.com: refused"][..],
                "read cloud_usage: refused: db.example.com: refused",
            ),
            (&["day 2013-06-12", "12"], "day 2013-06-12: 12"),
            (&["it is not found", "found"], "it is not found: found"),
        ] {
            assert_eq!(line(messages), expected);
        }
    }
}
