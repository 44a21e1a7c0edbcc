//! One shell for one page: every command in turn, in a folder of its own that holds the imported sample. The
//! shell keeps variables and background jobs from one command to the next, as a reader's does.

use std::path::Path;
use std::process::Command;

use super::markdown::{self, Block};
use crate::sandbox::{Run, Sandbox, program};

/// Paths of a real machine. In a test they lie below the sandbox.
const ROOTS: [&str; 6] = [
    "/etc/rbc-usage",
    "/etc/systemd/system",
    "/usr/lib/nagios/plugins",
    "/var/backups",
    "/var/lib/rbc-usage",
    "/srv/",
];

/// Ends what a command prints: its exit code follows.
const END: char = '\u{1e}';

/// What the shell knows before the first command of any page.
///
/// `rbc-usage serve` listens on a free port, and `curl` finds it whatever host and port its address names. `systemctl`
/// runs what the units of `packaging` run, and `make demo` the demo. Users and groups do not matter: all is done as whoever runs the test.
/// `configure SECTION KEY VALUE` is the editor.
const PRELUDE: &str = r#"
exec 2>&1
mkdir -p bin etc/systemd/system var/lib/rbc-usage var/backups srv usr/lib/nagios/plugins
ln -s ../demo etc/rbc-usage
cp -r "$PACKAGING" packaging
cat >bin/rbc-usage <<'EOF'
#!/bin/sh
case "$*" in
*--help*) ;;
serve*|*' serve'*)
    echo $$ >>"$PAGE/servers"
    rm -f "$PAGE/listening"
    exec "$PROGRAM" "$@" --bind 127.0.0.1:0 >"$PAGE/listening" 2>>"$PAGE/journal"
    ;;
esac
exec "$PROGRAM" "$@"
EOF
cat >bin/curl <<'EOF'
#!/bin/sh
tries=0
until port=$(sed -n 's|^listening on .*:||p' "$PAGE/listening" 2>/dev/null) && [ -n "$port" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { echo 'no server listens' >&2; exit 1; }
    sleep 0.05
done
exec "$CURL" -sS --connect-to "::127.0.0.1:$port" "$@"
EOF
cat >bin/systemctl <<'EOF'
#!/bin/sh
for word; do
    unit=$PACKAGING/${word%.service}.service
    case "$1:$word" in
    stop:rbc-usage|stop:rbc-usage.service) kill $(cat "$PAGE/servers") ;;
    reload:rbc-usage) kill -HUP $(tail -n 1 "$PAGE/servers") ;;
    start:*.timer|stop:*) ;;
    start:rbc-usage*|enable:*.service)
        command=$(sed -n 's/^ExecStart=//p' "$unit" |
            sed "s|/usr/local/bin|$PAGE/bin|; s|/etc/rbc-usage|$PAGE/etc/rbc-usage|")
        case $command in
        *' serve'*) $command 2>>"$PAGE/journal" & ;;
        *) $command >>"$PAGE/journal" 2>&1 ;;
        esac
        ;;
    esac
done
EOF
cat >bin/make <<'EOF'
#!/bin/sh
[ "$*" = demo ] || exit 2
PATH=${PATH#*:} exec sh "$TESTS/demo.sh" "$PROGRAM"
EOF
cat >bin/runuser <<'EOF'
#!/bin/sh
shift 3
exec "$@"
EOF
cat >bin/install <<'EOF'
#!/bin/sh
for word; do
    shift
    case $word in -o|-g) skip=yes; continue ;; esac
    [ "$skip" = yes ] || set -- "$@" "$word"
    skip=no
done
PATH=${PATH#*:} exec install "$@"
EOF
for program in useradd chgrp chown; do
    printf '#!/bin/sh\n' >"bin/$program"
done
chmod +x bin/*
finish() {
    [ ! -e "$PAGE/servers" ] || kill $(cat "$PAGE/servers") 2>/dev/null
}
configure() {
    section=$1 key=$2 value=$3 awk '
        BEGIN { wanted = "[" ENVIRON["section"] "]"; line = ENVIRON["key"] " = " ENVIRON["value"] }
        /^\[/ { if (here && !done) { print line; done = 1 }; here = ($0 == wanted) }
        here && $1 == ENVIRON["key"] && $2 == "=" { if (!done) print line; done = 1; next }
        { print }
        END { if (!done) { if (!here) print "\n" wanted; print line } }
    ' "$RBC_USAGE_CONFIG" >configured && cat configured >"$RBC_USAGE_CONFIG"
}
"#;

/// What is compared: one command, and what the page shows below it. `None`: output is not shown.
pub struct Expected {
    pub line: usize,
    pub command: String,
    pub prints: Option<Vec<String>>,
}

/// The sample's 40 days, imported once for all pages.
pub fn imported_sample() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.run(&["sample", "demo"]).exits(0);
    let config = ["--config", "demo/cloudusage.cfg"];
    sandbox.run(&["initdb", config[0], config[1]]).exits(0);
    sandbox.run(&["import", config[0], config[1]]).exits(0);
    sandbox
}

/// Runs the blocks of a page in a copy of the sample, after `prepare`, and compares what they print with what the page
/// shows. Each difference is a text.
pub fn run(page: &str, prepare: &str, blocks: &[Block], sample: &Sandbox) -> Vec<String> {
    let sandbox = Sandbox::new();
    let mut copy = Command::new("cp");
    copy.arg("-r")
        .arg(sample.path("demo"))
        .arg(sandbox.folder());
    Run::of(&mut copy).exits(0);
    let folder = sandbox.folder().display().to_string();
    let mut script = format!(
        "\
         trap 'cat prepared; finish' EXIT\n{{ set -e\n{prepare}\nset +e\n}} >prepared 2>&1\ntrap finish EXIT\n"
    );
    let mut expected: Vec<Expected> = Vec::new();
    for block in blocks {
        for (text, prints) in commands(page, block) {
            expected.push(Expected {
                line: block.line,
                command: text.clone(),
                prints,
            });
            script.push_str(&format!("{text}\nprintf '\\n\\036%d\\n' $?\n"));
        }
    }
    script = script.replace(
        "/usr/local/bin/rbc-usage",
        &format!("{folder}/bin/rbc-usage"),
    );
    for root in ROOTS {
        script = script.replace(root, &format!("{folder}{root}"));
    }
    sandbox.write("page.sh", &format!("{PRELUDE}{script}"));
    let run = shell(&sandbox, &folder);
    let printed = run.stdout.replace(&folder, "");
    let end = format!("\n{END}");
    let mut differences = Vec::new();
    let mut outputs = printed.split(&end);
    for (index, step) in expected.iter().enumerate() {
        // The first line of what follows a mark is the exit code of the command before.
        let output = outputs.next().unwrap_or_default();
        let output = match index {
            0 => output,
            _ => output.split_once('\n').map_or("", |(_, rest)| rest),
        };
        let rest = outputs.clone().next().unwrap_or("none\n");
        let code = rest.split('\n').next().unwrap_or_default();
        let shown = step.prints.as_ref().map(|lines| lines.join("\n"));
        let place = format!("{page}:{}", step.line);
        if code != "0" {
            differences.push(format!(
                "{place}\n$ {}\nexit code: {code}\nprinted:\n{output}",
                step.command
            ));
        } else if let Some(shown) = shown.filter(|shown| !is_as_shown(output, shown)) {
            differences.push(format!(
                "{place}\n$ {}\nprinted:\n{output}\nthe page has:\n{shown}",
                step.command
            ));
        }
    }
    differences
}

fn shell(sandbox: &Sandbox, folder: &str) -> Run {
    let find = Run::of(Command::new("sh").args(["-c", "command -v curl"])).exits(0);
    let programs = Path::new(program())
        .parent()
        .expect("the program is in a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shell = Command::new("timeout");
    shell
        .args(["-k", "5", "240", "sh", "page.sh"])
        .current_dir(sandbox.folder())
        .stdin(std::process::Stdio::null())
        .env_clear()
        .env(
            "PATH",
            format!("{folder}/bin:{}:/usr/bin:/bin", programs.display()),
        )
        .env("PAGE", folder)
        .env("PACKAGING", root.join("packaging"))
        .env("TESTS", root.join("tests"))
        .env("PROGRAM", program())
        .env("CURL", find.stdout.trim())
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("RBC_USAGE_CONFIG", format!("{folder}/demo/cloudusage.cfg"));
    Run::of(&mut shell)
}

/// The commands of a block, each with what it prints if the page shows that.
fn commands(page: &str, block: &Block) -> Vec<(String, Option<Vec<String>>)> {
    match block.language.as_str() {
        "console" => {
            let steps = markdown::steps(page, block).into_iter();
            steps
                .map(|step| (step.command, Some(step.prints)))
                .collect()
        }
        "sh" => vec![(format!("set -e\n{}\nset +e", block.lines.join("\n")), None)],
        "ini" => vec![(configuring(block), None)],
        // Cron mails what a command prints, so it has to print nothing.
        "cron" => vec![(crontab(block), Some(Vec::new()))],
        _ => Vec::new(),
    }
}

/// The commands of a crontab, behind the five fields of the time and the user.
fn crontab(block: &Block) -> String {
    let lines = block.lines.iter().filter(|line| !line.starts_with('#'));
    let command = |line: &String| {
        let mut fields = line.splitn(7, ' ').skip(6);
        fields.next().expect("a command").replace("\\%", "%")
    };
    lines.map(command).collect::<Vec<_>>().join("\n")
}

/// The keys of a block of configuration, as the editor writes them.
fn configuring(block: &Block) -> String {
    let mut section = "main";
    let mut commands = Vec::new();
    for line in &block.lines {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            commands.push(format!(
                "configure {section} {} '{}'",
                key.trim(),
                value.trim()
            ));
        }
    }
    assert!(!commands.is_empty(), "no key in {:?}", block.lines);
    commands.join(" && ")
}

/// Whether what was printed is what a page shows. There an ellipsis stands for any lines, or for any part of a line.
pub fn is_as_shown(printed: &str, shown: &str) -> bool {
    let lines = |text: &str| -> Vec<String> { text.trim_end().lines().map(comparable).collect() };
    match_lines(&lines(printed), &lines(shown))
}

fn match_lines(printed: &[String], shown: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (1..=printed.len()).any(|count| match_lines(&printed[count..], rest))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, more)| match_line(first, line) && match_lines(more, rest)),
    }
}

fn match_line(printed: &str, shown: &str) -> bool {
    let parts: Vec<&str> = shown.split('…').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if parts.len() == 1 {
        return printed == shown;
    }
    let Some(middle) = printed
        .strip_prefix(first)
        .and_then(|rest| rest.strip_suffix(last))
    else {
        return false;
    };
    let mut rest = middle;
    for part in &parts[1..parts.len() - 1] {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

/// What differs from run to run is left out: the present, how long something took, a free port, blanks at the end.
fn comparable(line: &str) -> String {
    let mut words: Vec<String> = line.trim_end().split(' ').map(present_left_out).collect();
    let count = words.len();
    if count > 2 && words[count - 1] == "s" && words[count - 2].parse::<f64>().is_ok() {
        words[count - 2] = "N".to_owned();
    }
    words.join(" ")
}

/// A word whose times after the sample's days are replaced.
fn present_left_out(word: &str) -> String {
    const FORM: &str = "dddd-dd-ddTdd:dd:ddZ";
    let is_time = |text: &str| {
        text.chars()
            .zip(FORM.chars())
            .all(|(letter, form)| match form {
                'd' => letter.is_ascii_digit(),
                _ => letter == form,
            })
    };
    let mut rest = word;
    let mut replaced = String::new();
    while let Some(letter) = rest.chars().next() {
        match rest.get(..FORM.len()) {
            Some(text) if is_time(text) && text > "2026-11-20" => {
                replaced.push_str("<now>");
                rest = &rest[FORM.len()..];
            }
            _ => {
                replaced.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    replaced
}

#[test]
fn an_output_that_differs_is_noticed() {
    assert!(is_as_shown("a\nb\nc\nd", "a\n…\nd"));
    assert!(is_as_shown("a\nb\nc\nd", "a\n…\nc\n…"));
    assert!(!is_as_shown("a\nd", "a\n…\nd"));
    assert!(!is_as_shown("a\nb\nc", "a\n…\nd"));
    assert!(!is_as_shown("a\nb", "a"));
    assert!(!is_as_shown("a", "a\nb"));
    assert!(is_as_shown("x=1, y=2, z=3", "x=…, y=2, …3"));
    assert!(!is_as_shown("x=1, y=2, z=3", "x=…, y=3, …3"));
    assert!(is_as_shown(
        "done 2026-11-25T03:08:55Z, 2.1 s",
        "done 2026-11-26T00:00:00Z, 0.5 s"
    ));
    assert!(is_as_shown(
        "\"2026-11-25T03:08:55Z\",",
        "\"2027-11-26T00:00:00Z\","
    ));
    assert!(!is_as_shown("2026-10-25T03:08:55Z", "2026-10-26T00:00:00Z"));
    assert!(!is_as_shown("1 days, 2 s", "2 days, 2 s"));
}
