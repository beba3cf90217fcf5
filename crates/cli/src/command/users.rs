//! `gesta users`: what can be done about users, also where nobody can be asked, which is while no server runs on the store.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use gesta::entropy::Entropy;
use gesta_server::{
    client_users::UserDetails,
    security::{
        passwords,
        users::{self, FIRST_ADMIN, User},
    },
};
use serde_json::json;

use super::serve_security::{password_in, refused};
use crate::{
    exit::{Exit, Outcome},
    reach::Reached,
    shell::{Format, Shell, printable},
    table::{Column, Table},
    target::Target,
};

/// Arguments of `gesta users`.
#[derive(Args, Debug)]
pub(crate) struct UsersArgs {
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Debug, Subcommand)]
enum UsersCommand {
    /// Give a user a new password
    ResetPassword(ResetArgs),
    /// List the users
    List,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta users reset-password --dir ./ledger                            of admin; prints the new password
  gesta users reset-password --dir ./ledger --password-file ./secret ada
  gesta users reset-password --url https://admin:secret@host:2113 ada     of somebody else, on a server
Who was disabled may sign in again. If there is nobody of that name, an administrator is made.")]
struct ResetArgs {
    /// Whose
    #[arg(value_name = "LOGIN", default_value = FIRST_ADMIN)]
    login: String,
    /// File whose first line is the new password, instead of one nobody can guess
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Does what was asked.
pub(crate) fn run(args: &UsersArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    match &args.command {
        UsersCommand::ResetPassword(args) => reset(args, target, shell),
        UsersCommand::List => list(target, shell),
    }
}

fn reset(args: &ResetArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let given = args.password_file.as_deref().map(password_in).transpose()?;
    let entropy = Entropy::from_os();
    let password = given.clone().unwrap_or_else(|| passwords::generated(&entropy));
    match target.reach()? {
        Reached::Directory(store) => {
            users::reset_password(&store, &args.login, &password, &entropy).map_err(refused)?;
            store.close()?;
        }
        Reached::Server(client) => client.reset_password(&args.login, &password)?,
    }
    match (shell.format(), given) {
        (Format::Ndjson, None) => shell.json(&json!({"login": args.login, "password": password}))?,
        (Format::Ndjson, Some(_)) => shell.json(&json!({"login": args.login}))?,
        (Format::Table | Format::Plain, None) => shell.line(format_args!("{password}"))?,
        (Format::Table | Format::Plain, Some(_)) => shell.say(format_args!("{} has the new password", args.login)),
    }
    Ok(Exit::Ok)
}

fn list(target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let found = match target.reach()? {
        Reached::Directory(store) => users::all(&store)?.into_iter().map(|found| shown(found.user)).collect(),
        Reached::Server(client) => client.users()?,
    };
    let mut table =
        Table::new([Column::text("login"), Column::text("groups"), Column::text("state"), Column::long("name")]);
    for user in found {
        let (groups, state) = (user.groups.join(" "), if user.disabled { "disabled" } else { "enabled" });
        match shell.format() {
            Format::Table => table.row([
                printable(&user.login_name),
                printable(&groups),
                state.to_owned(),
                printable(&user.full_name),
            ]),
            Format::Plain => {
                shell.line(format_args!("{}\t{}\t{state}", printable(&user.login_name), printable(&groups)))?
            }
            Format::Ndjson => shell.json(&json!({
                "login": user.login_name, "name": user.full_name, "groups": user.groups, "disabled": user.disabled,
            }))?,
        }
    }
    table.print(shell)?;
    Ok(Exit::Ok)
}

/// What is shown of a user, as a server tells it.
fn shown(user: User) -> UserDetails {
    let User { login_name, full_name, groups, disabled, .. } = user;
    UserDetails { login_name, full_name, groups, disabled, last_updated: None }
}
