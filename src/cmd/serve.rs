//! `rbc-usage serve`: answer usage questions over HTTP.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use crate::arguments::ConfigFile;
use crate::config;
use crate::http;
use crate::ledger::read::Reader;

/// Answer questions about usage over HTTP
///
/// Answers GET /usage/<account or project uuid>?start=YYYY-MM-DD&end=YYYY-MM-DD with JSON, and
/// everything under /v1, which /openapi.json describes, with JSON or CSV. Listens on loopback
/// addresses; on any other address only with TLS and users, or behind a proxy. SIGTERM and SIGINT
/// finish the requests in progress and stop the server; SIGHUP rereads the configuration and the
/// files it names.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rbc-usage serve
  rbc-usage serve --bind 127.0.0.1:8080
  curl 'http://127.0.0.1:8888/usage/5b9c3a3e-…?start=2013-04-01&end=2013-04-30'
  curl 'http://127.0.0.1:8888/v1/usage?month=2013-04&format=csv'
")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Address to listen on instead of `[server] bind`; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT", value_parser = config::parse_bind)]
    bind: Option<SocketAddr>,
    /// Format of the access log instead of `[server] log_format`: combined, json or off
    #[arg(long, value_name = "FORMAT", value_parser = config::parse_log_format)]
    log_format: Option<config::LogFormat>,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.config.load_as_written()?;
    let zones = Reader::open(&config.ledger)?.zones()?;
    let config = with_flags(&args, config);
    let server = &config.server;
    let load_config = move || Ok(with_flags(&args, args.config.load_as_written()?));
    let options = http::ServeOptions {
        ledger: &config.ledger,
        zones,
        timezone: http::written_timezone(&config),
        prices: config.prices.as_deref(),
        texts: config.texts.clone(),
        load_config: Box::new(load_config),
    };
    http::serve(server.bind, server, options, out)?;
    Ok(ExitCode::SUCCESS)
}

/// What the command line says goes before what the file says, also when that is read again.
fn with_flags(args: &Args, mut config: config::Config) -> config::Config {
    if let Some(bind) = args.bind {
        config.server.bind = bind;
        config.texts.set("server.bind", "--bind");
    }
    if let Some(log_format) = args.log_format {
        config.server.log_format = log_format;
        config.texts.set("server.log_format", "--log-format");
    }
    config
}
