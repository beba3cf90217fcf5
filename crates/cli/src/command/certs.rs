//! `gesta certs`: certificates for development.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use gesta::clock::{Clock, SystemClock};
use gesta_server::security::tls::DevelopmentCertificates;
use serde_json::json;

use crate::{
    exit::{Exit, Failure, Outcome},
    shell::{Format, Shell},
};

/// For whom a certificate is in any case.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Who may read a certificate: everybody.
const PUBLIC: u32 = 0o644;
/// Who may read a key: its owner.
const PRIVATE: u32 = 0o600;

/// Arguments of `gesta certs`.
#[derive(Args, Debug)]
pub(crate) struct CertsArgs {
    #[command(subcommand)]
    command: CertsCommand,
}

#[derive(Debug, Subcommand)]
enum CertsCommand {
    /// Make an authority, and a certificate it signs, for development
    Dev(DevArgs),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta certs dev --out ./certs
  gesta serve --tls-cert ./certs/node.crt --tls-key ./certs/node.key
Clients trust ./certs/ca.crt: kurrentdb://admin:PASSWORD@localhost:2113?tls=true&tlsCaFile=./certs/ca.crt")]
struct DevArgs {
    /// Directory for ca.crt, ca.key, node.crt and node.key
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A further name or address of the server, beside localhost, 127.0.0.1 and ::1; can be repeated
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// How long the certificate holds
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Replace what is there
    #[arg(long)]
    force: bool,
}

/// Makes certificates.
pub(crate) fn run(args: &CertsArgs, shell: &mut Shell) -> Outcome<Exit> {
    let CertsCommand::Dev(args) = &args.command;
    let mut names: Vec<String> = LOCAL.map(str::to_owned).to_vec();
    for name in &args.names {
        if let Some(wrong) = wrong_name(name) {
            return Err(Failure::usage(format!("a server cannot be called that: {wrong}, name={name:?}")));
        }
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let made = DevelopmentCertificates::make(&names, SystemClock::default().now(), args.days)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let files = [
        ("ca.crt", made.authority, PUBLIC),
        ("ca.key", made.authority_key, PRIVATE),
        ("node.crt", made.certificate, PUBLIC),
        ("node.key", made.key, PRIVATE),
    ];
    let files = files.map(|(name, content, mode)| (args.out.join(name), content, mode));
    make_room(&args.out, files.each_ref().map(|(path, ..)| path.as_path()), args.force)?;
    for (path, content, mode) in &files {
        write_new(path, content, *mode)?;
    }
    let [authority, _, certificate, key] = files.map(|(path, ..)| path.display().to_string());
    match shell.format() {
        Format::Ndjson => {
            shell.json(
                &json!({"ca": authority, "certificate": certificate, "key": key, "names": names, "days": args.days}),
            )?;
        }
        Format::Table | Format::Plain => {
            shell.line(format_args!("certificate for {}: {certificate}, key {key}", names.join(", ")))?;
            shell.line(format_args!("clients trust {authority}"))?;
        }
    }
    Ok(Exit::Ok)
}

/// What is wrong with the name of a server, if something is.
fn wrong_name(name: &str) -> Option<&'static str> {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte))
    };
    let fits = name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label));
    (!fits).then_some("it is neither a DNS name nor an address")
}

/// Makes the directory, and sees that nothing is replaced that must not be. Keys that are replaced are removed first, so that the new ones never
/// stand in files that others may read.
fn make_room(dir: &Path, files: [&Path; 4], force: bool) -> Outcome<()> {
    fs::create_dir_all(dir)
        .map_err(|error| Failure::io(format_args!("making the directory, dir={}", dir.display()), &error))?;
    for path in files {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) if !force => {
                let what = format!("there is a file already, and it stays, file={}", path.display());
                return Err(Failure::new(Exit::Conflict, what)
                    .with_remedy("name another directory, or say --force: who trusts the old authority must then be given the new one"));
            }
            Ok(_) => fs::remove_file(path)
                .map_err(|error| Failure::io(format_args!("replacing, file={}", path.display()), &error))?,
            Err(error) => return Err(Failure::io(format_args!("looking for files, file={}", path.display()), &error)),
        }
    }
    Ok(())
}

fn write_new(path: &Path, content: &str, mode: u32) -> Outcome<()> {
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| Failure::io(format_args!("writing, file={}", path.display()), &error))
}
