//! `fadecast serve`: answers over HTTP.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Globals, print};
use crate::file;
use crate::serve::{self, Say, Settings, Token};

/// Environment variable with a token.
const TOKEN: &str = "FADECAST_TOKEN";

/// Serves models over HTTP until SIGTERM or Ctrl-C, then answers what it has accepted; a second signal ends it at once.
///
/// A model that is named without its run (`NAME`, `models/NAME/promoted`) is exchanged when another run is promoted.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Runs: a folder, `NAME/latest`, `NAME` for the promoted one; `OTHER=RUN` gives it another name. The first answers
    /// where a request names none.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// Address and port; port 0 takes a free one. Beyond loopback a token is needed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// File with the token that requests must show; else the environment's `FADECAST_TOKEN` counts, where it is set.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Writes a line a request to stderr.
    #[arg(long)]
    access_log: bool,
    #[command(flatten)]
    limits: Limits,
}

/// How much a server takes on.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// Threads of the server; by default the machine's cores.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Longest body of a request [bytes]; beyond, 413.
    #[arg(long, value_name = "BYTES", default_value_t = Settings::default().max_body)]
    max_body: usize,
    /// Most bytes of bodies in memory at a time; beyond, 503.
    #[arg(long, value_name = "BYTES", default_value_t = Settings::default().max_held)]
    max_held: usize,
    /// Most rows of a request; beyond, 413.
    #[arg(long, value_name = "N", default_value_t = Settings::default().max_rows)]
    max_rows: usize,
    /// Most predictions under way; beyond, 429.
    #[arg(long, value_name = "N", default_value_t = Settings::default().max_in_flight)]
    max_in_flight: usize,
    /// Most requests that wait for one model; beyond, 503.
    #[arg(long, value_name = "N", default_value_t = Settings::default().max_queue)]
    max_queue: usize,
    /// Most connections; those beyond are told 503 and closed.
    #[arg(long, value_name = "N", default_value_t = Settings::default().max_connections)]
    max_connections: usize,
    /// Rows after which a batch of concurrent requests is full.
    #[arg(long, value_name = "N", default_value_t = Settings::default().batch_rows)]
    batch_rows: usize,
    /// Longest wait for the header of a connection's first or next request [s]; then it is closed.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "15")]
    header_timeout: Duration,
    /// Longest wait for a body (408), and for an answer (503) [s].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    timeout: Duration,
    /// Longest wait for accepted requests at the end [s].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    drain_seconds: Duration,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the server says at its start.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    let offers = args.runs.iter().map(|run| serve::offer(&globals.root, run)).collect();
    let is_quiet = globals.quiet;
    let say: Say = Arc::new(move |line| {
        let globals = Globals { root: PathBuf::new(), json: false, quiet: is_quiet };
        globals.say(line);
    });
    // A reader of stdout that has gone away does not end a server.
    let listening = |address: SocketAddr| drop(print(&format!("http://{address}")));
    serve::run(settings(args)?, offers, say, listening)?;
    Ok(())
}

fn settings(args: &Args) -> anyhow::Result<Settings> {
    let limits = &args.limits;
    let usual = Settings::default();
    Ok(Settings {
        listen: args.listen,
        token: token(args)?,
        access_log: args.access_log,
        threads: limits.threads.unwrap_or(usual.threads),
        max_body: limits.max_body,
        max_held: limits.max_held,
        max_rows: limits.max_rows,
        max_in_flight: limits.max_in_flight,
        max_queue: limits.max_queue,
        max_connections: limits.max_connections,
        batch_rows: limits.batch_rows,
        header_timeout: limits.header_timeout,
        timeout: limits.timeout,
        drain: limits.drain_seconds,
    })
}

fn token(args: &Args) -> anyhow::Result<Option<Token>> {
    let text = match &args.token_file {
        Some(path) => Some(file::read_text(path)?),
        None => env::var(TOKEN).ok(),
    };
    Ok(text.map(|text| Token::new(&text)).transpose()?)
}

/// Reads a time, more than 0 and at most a day.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|s| *s > 0.0 && *s <= 86_400.0);
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "seconds are more than 0 and at most 86400".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_more_than_none_and_not_for_ever() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["0", "-1", "NaN", "inf", "1e9", "1 s", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
