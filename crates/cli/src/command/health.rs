//! `gesta health`: whether a server is ready, for health checks that have no other program at hand.

use std::time::Duration;

use clap::Args;
use gesta_server::{
    client::without_user,
    client_health::{Readiness, readiness},
};
use serde_json::json;

use crate::{
    exit::{Exit, Failure, Outcome},
    shell::{Format, Shell},
    target::Target,
    time,
};

/// Where a server is looked for that is not named.
const URL_DEFAULT: &str = "http://127.0.0.1:2113";

/// Arguments of `gesta health`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta health                                     a server on this machine
  gesta health --url https://10.0.0.5:2113 --ca ./certs/ca.crt
Exit code 0: it takes appends. 6: it does not, or cannot be reached.")]
pub(crate) struct HealthArgs {
    /// How long it may take to answer
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time::parse_duration)]
    timeout: Duration,
}

/// Asks.
pub(crate) fn run(args: &HealthArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let url = target.url().unwrap_or(URL_DEFAULT);
    match readiness(url, target.authority()?.as_deref(), args.timeout)? {
        Readiness::Ready => {
            let url = without_user(url);
            match shell.format() {
                Format::Ndjson => shell.json(&json!({ "ready": true, "url": url }))?,
                Format::Table | Format::Plain => shell.line(format_args!("ready {url}"))?,
            }
            Ok(Exit::Ok)
        }
        Readiness::NotReady(why) => {
            let url = without_user(url);
            Err(Failure::new(Exit::Unavailable, format!("the server is not ready: {why}, url={url}")))
        }
    }
}
