//! Words on the command line that cannot be: each is refused in words of the field, not of the programming language.

use crate::sandbox::Sandbox;

const PERIOD: &str = "is not a period: write a day, DAY..DAY, YYYY-MM, 7d, 2w, today, yesterday, this-month or last-month";

#[test]
fn what_cannot_be_is_refused_in_words_that_help() {
    let sandbox = Sandbox::new();
    let id = "not an id: `rbc-usage findings` and `rbc-usage corrections` list them";
    for (line, says) in [
        ("import next-month", PERIOD),
        ("status a-b-c", PERIOD),
        (
            "status 2013-13",
            "\"2013-13\" is not a month: write YYYY-MM",
        ),
        ("import --splay soon", "not a whole number from 0 to 86400"),
        ("import --splay 86401", "not a whole number from 0 to 86400"),
        ("findings ack x --reason y", id),
        ("findings ack 0 --reason y", id),
        ("findings unack 1.5", id),
        ("corrections ack x --reason y", id),
        ("report --top 0", "not a whole number from 1 on"),
        ("report --top few", "not a whole number from 1 on"),
        (
            "verify --tolerance little",
            "not a number from 0 to below 1, such as 1e-9",
        ),
        (
            "verify --tolerance 1",
            "not a number from 0 to below 1, such as 1e-9",
        ),
        (
            "passwd users ann --cost 99",
            "not a whole number from 4 to ",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let run = sandbox.run(&words).exits(2);
        assert!(run.stderr.contains(says), "{run}");
        assert!(!run.stderr.contains("invalid digit"), "{run}");
    }
}
