//! `rbc-usage check`: whether everything that the other commands build on is as it should be. Looks and changes
//! nothing. The server's files are looked at in `server`; whether the days are complete is `status`'s business.

mod line;
mod prices;
mod readers;
mod server;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::arguments::{ConfigFile, ListFormatArgs};
use crate::cloud::CloudIdentity;
use crate::config::{Config, LedgerUri};
use crate::day::DayRange;
use crate::import::advise;
use crate::ledger;
use crate::ledger::cloud_identity::find_disagreement;
use crate::ledger::read::Reader;
use crate::ledger::step::Step;
use crate::ledger::timezones::disagreement;
use crate::open::open_source;
use crate::output::unit::readable;
use crate::output::{Column, Document, Tone, Unit, Value, write};
use crate::plural::plural;
use crate::source::survey::{Survey, survey_cloud, survey_cloud_usage};
use crate::source::{Options, Source};
use crate::terminal;
use crate::zone::Zone;
use crate::zones::Zones;
use line::{CheckLine, Severity, error, look, ok, others_read};

/// A clock that is off by more than this puts days into the wrong state, and breaks certificates.
const CLOCK_SECONDS: i64 = 10;

/// Room that a ledger needs to grow for a while, at least.
const FREE_BYTES: u64 = 256 << 20;

/// Zones are compared on the days of so many years around today.
const ZONE_YEARS: i64 = 2;

/// Check the configuration, the databases, the ledger and the server's files
///
/// Prints one line for each check: ok, or what to do. Changes nothing. Reads the whole ledger and
/// every record in it, which takes up to half a minute for each gigabyte; --quick skips that. To
/// learn whether days are missing, use `rbc-usage status --check`.
///
/// Exit code: 0 all is well; 1 something needs a look; 2 something does not work.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rbc-usage check
  rbc-usage check --quick  without reading the whole ledger
  rbc-usage check --format json
")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    format: ListFormatArgs,
    /// Skip what takes longer as the ledger grows: read neither its pages nor its records
    #[arg(long)]
    quick: bool,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    let lines = match args.config.load() {
        Ok(config) => check(&config, args.quick)?,
        Err(err) => format!("{err:#}")
            .lines()
            .map(|problem| error("configuration", problem))
            .collect(),
    };
    write(&document(&lines), &style, out)?;
    let worst = lines.iter().map(|line| line.severity).max();
    Ok(ExitCode::from(match worst {
        None | Some(Severity::Ok) => 0,
        Some(Severity::Look) => 1,
        Some(Severity::Error) => 2,
    }))
}

fn check(config: &Config, quick: bool) -> anyhow::Result<Vec<CheckLine>> {
    let mut lines = vec![ok("configuration", "every key is known and right")];
    let secret = config.secret_file.as_deref();
    let read = secret.and_then(|file| others_read("configuration", file));
    lines.extend(read.map(|line| CheckLine {
        detail: format!("it holds a password, and {}", line.detail),
        ..line
    }));
    let (of_sources, identity) = check_sources(config)?;
    lines.extend(of_sources);
    lines.extend(check_ledger(config, quick));
    lines.extend(identity.and_then(|identity| judge_identity(&identity, &config.ledger)));
    lines.extend(prices::check_prices(config));
    lines.extend(server::check(&config.server));
    lines.extend(server::check_scopes(config));
    Ok(lines)
}

/// Also says which CloudStack it is, where that can be read.
fn check_sources(config: &Config) -> anyhow::Result<(Vec<CheckLine>, Option<CloudIdentity>)> {
    let options = Options {
        cloud_usage: &config.cloud_usage,
        cloud: &config.cloud,
        connect_timeout: config.import.connect_timeout,
        read_timeout: config.import.read_timeout,
    };
    let mut lines = Vec::new();
    let surveys = [
        ("cloud_usage", survey_cloud_usage(&options)),
        ("cloud", survey_cloud(&options)),
    ];
    let mut reached = true;
    for (what, survey) in surveys {
        match survey {
            Ok(survey) => lines.extend(judge_survey(what, &survey)?),
            Err(err) => {
                reached = false;
                lines.push(error(what, format!("cannot be read: {err:#}")));
            }
        }
    }
    if reached {
        match open_source(config) {
            Ok(mut source) => {
                let missing = source.limitations().into_iter();
                lines.extend(missing.map(|sentence| look("rights", sentence)));
                lines.extend(judge_zone(&mut source, &config.zone)?);
                match source.identity() {
                    Ok(identity) => return Ok((lines, Some(identity))),
                    Err(err) => lines.push(error("cloud", format!("{err:#}"))),
                }
            }
            Err(err) => lines.push(error("sources", format!("{err:#}"))),
        }
    }
    Ok((lines, None))
}

/// Whether it is the CloudStack that the ledger is of. A ledger that cannot be read has a line already.
fn judge_identity(identity: &CloudIdentity, ledger: &LedgerUri) -> Option<CheckLine> {
    let mut reader = Reader::open(ledger).ok()?;
    let found = reader.read(|snapshot| find_disagreement(snapshot, identity));
    match found {
        Ok(disagreement) => disagreement.map(|said| error("cloud", said)),
        Err(err) => Some(error("ledger", format!("{err:#}"))),
    }
}

fn judge_survey(what: &'static str, survey: &Survey) -> anyhow::Result<Vec<CheckLine>> {
    let mut lines = vec![ok(what, format!("{}, {}", survey.server, survey.schema))];
    if !survey.excess.is_empty() {
        lines.push(look(
            what,
            format!(
                "its user may do more than read ({}): grant what docs/configuration.md lists, and no more",
                survey.excess.join(", ")
            ),
        ));
    }
    if let Some(clock) = survey.clock {
        let off = clock - super::unix_now()?;
        if off.abs() > CLOCK_SECONDS {
            let direction = if off > 0 { "ahead of" } else { "behind" };
            let off = plural(off.unsigned_abs(), "second");
            lines.push(look(
                what,
                format!("its server's clock is {off} {direction} this machine's: set both by NTP"),
            ));
        }
    }
    Ok(lines)
}

/// By CloudStack's setting, and by its windows.
fn judge_zone(source: &mut Source, zone: &Zone) -> anyhow::Result<Vec<CheckLine>> {
    let what = "timezone";
    let set = match source.aggregation_timezone() {
        Ok(Some(theirs)) => judge_setting(&theirs, zone)?,
        Ok(None) => {
            let ours = zone.name();
            let unread = format!(
                "{ours}; CloudStack's usage.aggregation.timezone cannot be read, and must be the same: grant the view of \
                 docs/configuration.md"
            );
            look(what, unread)
        }
        Err(err) => error(what, format!("{err:#}")),
    };
    let mut lines = vec![set];
    match newest_misfit(source, zone) {
        Ok(Some(misfit)) => lines.push(look(what, misfit)),
        Ok(None) => {}
        Err(err) => lines.push(error(what, format!("{err:#}"))),
    }
    Ok(lines)
}

fn judge_setting(theirs: &str, zone: &Zone) -> anyhow::Result<CheckLine> {
    let what = "timezone";
    let (ours, quoted) = (zone.name(), format!("{theirs:?}"));
    // Java, and so CloudStack, takes a name it does not know for GMT.
    let other = Zone::parse(theirs).or_else(|_| Zone::parse("GMT"))?;
    let today = zone.day_at(super::unix_now()?)?;
    let mut days = DayRange::new(today.plus(-ZONE_YEARS * 366), today.plus(365))?.days();
    let differ = days.find(|day| zone.midnight(*day) != other.midnight(*day));
    Ok(match differ {
        Some(_) => look(
            what,
            format!(
                "main.timezone is {ours}, CloudStack's usage.aggregation.timezone is {quoted}: set main.timezone to it"
            ),
        ),
        None => ok(what, format!("{ours}, as CloudStack's {quoted}")),
    })
}

/// What is wrong with the newest day that the usage server has finished.
fn newest_misfit(source: &mut Source, zone: &Zone) -> anyhow::Result<Option<String>> {
    let Some(watermark) = source.progress()?.watermark else {
        return Ok(None);
    };
    let zones = Zones::from(zone.clone());
    let day = zones.day_at(watermark.finished_until - 1)?;
    let advice = advise(day.into(), &zones, source)?;
    Ok(advice.map(|advice| format!("{day}: {}", advice.misfit)))
}

fn check_ledger(config: &Config, quick: bool) -> Vec<CheckLine> {
    let (what, ledger) = ("ledger", &config.ledger);
    let mut lines = Vec::new();
    let file = ledger.file();
    let bytes = file.and_then(|path| fs::metadata(path).ok().map(|file| file.len()));
    match Reader::open(ledger).and_then(|mut reader| reader.state()) {
        Err(err) => lines.push(error(what, format!("{err:#}"))),
        Ok(state) => {
            let (theirs, ours) = (state.zones.name(), config.zone.name());
            // A ledger without days takes the zone that is written.
            if theirs != ours && state.days.is_some() {
                let said = disagreement(theirs, ours);
                lines.push(error(what, said));
            }
            let what_it_is = match bytes {
                Some(bytes) => readable(bytes as f64, Unit::Bytes),
                None => ledger.to_string(),
            };
            if quick {
                lines.push(ok(
                    what,
                    format!("{what_it_is}, of this version, not read completely"),
                ));
            } else {
                lines.extend(read_ledger(what, ledger, &what_it_is));
            }
            lines.extend(file.and_then(|path| others_read(what, path)));
        }
    }
    if let LedgerUri::File(path) = ledger {
        lines.extend(readers::check_readers(path));
        lines.push(check_room(path, bytes.unwrap_or(0)));
    }
    lines
}

/// What takes the longer the more there is in a ledger.
fn read_ledger(what: &'static str, ledger: &LedgerUri, what_it_is: &str) -> Vec<CheckLine> {
    let bar = terminal::step_bar();
    let mut on_step = |step| terminal::show_step(&bar, step);
    let mut lines = vec![match find_faults(ledger, &mut on_step) {
        Ok(faults) if faults.is_empty() => {
            ok(what, format!("{what_it_is}, sound, of this version"))
        }
        Ok(faults) => error(
            what,
            format!(
                "damaged: {}: restore a backup, or import into a new one",
                faults.join("; ")
            ),
        ),
        Err(err) => error(what, format!("{err:#}")),
    }];
    lines.extend(check_sums(what, ledger, &mut on_step));
    lines.extend(check_lines(what, ledger, &mut on_step));
    bar.finish_and_clear();
    lines
}

/// What is wrong with the database, in sentences. A server looks after its pages itself.
fn find_faults(ledger: &LedgerUri, on_step: &mut dyn FnMut(Step)) -> anyhow::Result<Vec<String>> {
    if ledger.file().is_some() {
        let faults = ledger::backup::check(ledger, on_step)?;
        if !faults.is_empty() {
            return Ok(faults);
        }
    }
    ledger::references::list_orphans(ledger, on_step)
}

/// A line for each month whose sums are not those of its days.
fn check_sums(
    what: &'static str,
    ledger: &LedgerUri,
    on_step: &mut dyn FnMut(Step),
) -> Vec<CheckLine> {
    match ledger::months::list_wrong(ledger, on_step) {
        Ok(wrong) => wrong
            .into_iter()
            .map(|wrong| error(what, format!("{wrong}: rbc-usage verify {}", wrong.month)))
            .collect(),
        Err(err) => vec![error(what, format!("{err:#}"))],
    }
}

/// A line for each fault of lines.
fn check_lines(
    what: &'static str,
    ledger: &LedgerUri,
    on_step: &mut dyn FnMut(Step),
) -> Vec<CheckLine> {
    match ledger::line_check::list_faults(ledger, on_step) {
        Ok(faults) => faults.into_iter().map(|fault| error(what, fault)).collect(),
        Err(err) => vec![error(what, format!("{err:#}"))],
    }
}

/// The folder needs room for days to come, and for a copy.
fn check_room(ledger: &Path, bytes: u64) -> CheckLine {
    let what = "disk";
    let folder = match ledger.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let name = folder.display();
    let free = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(err) => return error(what, format!("{name}: {err}")),
    };
    let room = readable(free as f64, Unit::Bytes);
    if free < FREE_BYTES.max(bytes) {
        let needed = readable(FREE_BYTES.max(bytes) as f64, Unit::Bytes);
        return look(
            what,
            format!("{name}: {room} are free: make room, {needed} at least"),
        );
    }
    ok(what, format!("{name}: {room} are free"))
}

fn document(lines: &[CheckLine]) -> Document {
    let row = |line: &CheckLine| {
        vec![
            match line.severity {
                Severity::Ok => Value::State("ok", Tone::Good),
                Severity::Look => Value::State("look", Tone::Doubtful),
                Severity::Error => Value::State("error", Tone::Bad),
            },
            Value::Text(line.what.to_owned()),
            Value::Text(line.detail.clone()),
        ]
    };
    Document {
        rows_name: "checks",
        columns: vec![
            Column::shown("state", "state").key(),
            Column::shown("what", "what").key().kept(),
            Column::shown("detail", "detail").key().folded(),
        ],
        rows: lines.iter().map(row).collect(),
        ..Document::default()
    }
}
