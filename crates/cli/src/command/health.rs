//! `gesta health`: whether a server is ready, for health checks that have no other program at hand.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use clap::Args;
use serde_json::json;

use crate::{
    exit::{Exit, Failure, Outcome},
    shell::{Format, Shell},
    target::Target,
    time,
};

/// Where a server is looked for that is not named.
const URL_DEFAULT: &str = "http://127.0.0.1:2113";
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// Arguments of `gesta health`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta health                                     a server on this machine
  gesta health --url http://10.0.0.5:2113
Exit code 0: it takes appends. 6: it does not, or cannot be reached.")]
pub(crate) struct HealthArgs {
    /// How long it may take to answer
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time::parse_duration)]
    timeout: Duration,
}

/// Asks.
pub(crate) fn run(args: &HealthArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let url = target.url().unwrap_or(URL_DEFAULT);
    let Some(authority) = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')) else {
        return Err(Failure::usage(format!("health is asked over http, url={url}")));
    };
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Unavailable, format!("the server cannot be reached, url={url}: {error}"))
    };
    let answer = ask(authority, args.timeout).map_err(failed)?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let why = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    match status {
        "204" => {
            match shell.format() {
                Format::Ndjson => shell.json(&json!({ "ready": true, "url": url }))?,
                Format::Table | Format::Plain => shell.line(format_args!("ready {url}"))?,
            }
            Ok(Exit::Ok)
        }
        "503" => Err(Failure::new(Exit::Unavailable, format!("the server is not ready: {why}, url={url}"))),
        _ => Err(Failure::new(Exit::Other, format!("this is no gesta server, url={url} status={status:?}"))),
    }
}

fn ask(authority: &str, timeout: Duration) -> std::io::Result<String> {
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                write!(stream, "GET /health/ready HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
                let mut answer = String::new();
                stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
                return Ok(answer);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
