//! `gesta group`: the consumer groups of a store.

mod parked;
mod settings;
mod show;

use clap::{Args, Subcommand};
use gesta::{From, GroupError, GroupName, ParkedOnReset, Source, StreamName};
use gesta_server::native::{ClientError, GroupChange, settings_from_wire, source_of};

use self::settings::SettingsArgs;
use crate::{
    exit::{Exit, Failure, Outcome},
    query_args::{FilterArgs, place},
    reach::Reached,
    shell::Shell,
    target::Target,
};

pub(crate) use show::source_words;

/// Arguments of `gesta group`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta group create mailer --type OrderPlaced         on a query over the whole log
  gesta group create billing --on '$ce-order'          on a stream, real or virtual
  gesta group list                                     all of them, and how far they are
  gesta group info billing --on '$ce-order'            one of them, in full
  gesta follow --group mailer                          take its messages, and ack them as they are printed
  gesta group parked mailer                            what could not be worked off, and why
  gesta group replay mailer -n 10                      deliver the first ten of those again
  gesta group reset mailer --from 2026-01-01           begin anew
A group on a stream is named with --on STREAM, or as STREAM::GROUP.")]
pub(crate) struct GroupArgs {
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, Subcommand)]
enum GroupCommand {
    /// Create a group
    Create(CreateArgs),
    /// Change the settings of a group; its consumers are dropped and connect again
    Update(UpdateArgs),
    /// List the groups, and how far they are
    List,
    /// Show where a group stands
    Info(NameArgs),
    /// Show the messages a group has parked
    Parked(parked::ParkedArgs),
    /// Deliver parked messages again, to whoever follows the group next
    Replay(parked::ReplayArgs),
    /// Give parked messages up
    Discard(parked::DiscardArgs),
    /// Let a group begin anew at a place
    Reset(ResetArgs),
    /// Delete a group, how far it is and what it has parked
    Delete(NameArgs),
}

/// Which group.
#[derive(Args, Clone, Debug)]
pub(crate) struct NameArgs {
    /// The group, or STREAM::GROUP
    #[arg(value_name = "GROUP")]
    name: String,
    /// The stream it is on, real or virtual [default: the whole log]
    #[arg(long, value_name = "STREAM")]
    on: Option<StreamName>,
}

#[derive(Args, Debug)]
struct CreateArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    filters: FilterArgs,
    /// Where it begins: `start`, `now`, a revision (with --on), a position as `@118`, or a time [default: start]
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    from: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Args, Debug)]
struct UpdateArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Args, Debug)]
struct ResetArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Where it begins: `start`, `now`, a revision (on a stream), a position as `@118`, or a time
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    from: String,
    /// Leave what is parked parked, instead of delivering it again as part of the source
    #[arg(long)]
    keep_parked: bool,
}

impl NameArgs {
    /// The name as the store has it.
    pub(crate) fn group(&self) -> Outcome<GroupName> {
        group_name(&self.name, self.on.as_ref())
    }
}

/// A group by its short name and the stream it is on, or by its whole name.
pub(crate) fn group_name(name: &str, on: Option<&StreamName>) -> Outcome<GroupName> {
    Ok(match on {
        // As it is shown.
        Some(stream) if stream.as_str() == "$all" => GroupName::on_all(name)?,
        Some(stream) => GroupName::on_stream(stream.clone(), name)?,
        None if name.contains("::") => name.parse()?,
        None => GroupName::on_all(name)?,
    })
}

/// Does what was asked for.
pub(crate) fn run(args: &GroupArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let store = target.reach()?;
    match &args.command {
        GroupCommand::Create(args) => create(args, &store, shell)?,
        GroupCommand::Update(args) => {
            let group = args.name.group()?;
            let before = store.group(&group)?.settings.unwrap_or_default();
            let settings = args.settings.apply(settings_from_wire(before)?)?;
            store.change_group(&group, GroupChange::Update(settings))?;
            shell.say(format_args!("changed {group}"));
        }
        GroupCommand::List => show::list(&store.groups()?, shell)?,
        GroupCommand::Info(name) => show::info(&store.group(&name.group()?)?, shell)?,
        GroupCommand::Parked(args) => parked::show(args, &store, shell)?,
        GroupCommand::Replay(args) => parked::replay(args, &store, shell)?,
        GroupCommand::Discard(args) => parked::discard(args, &store, shell)?,
        GroupCommand::Reset(args) => reset(args, &store, shell)?,
        GroupCommand::Delete(name) => {
            let group = name.group()?;
            store.change_group(&group, GroupChange::Delete)?;
            shell.say(format_args!("deleted {group}; its events stay in the log"));
        }
    }
    store.close()?;
    Ok(Exit::Ok)
}

fn create(args: &CreateArgs, store: &Reached, shell: &Shell) -> Outcome<()> {
    let group = args.name.group()?;
    let source = match group.stream() {
        Some(stream) => {
            if !matches!(args.filters.source(None)?, Source::All) {
                return Err(Failure::usage("a group is on a stream or on what filters match, not on both"));
            }
            Source::Stream(stream.clone())
        }
        None => args.filters.source(None)?,
    };
    let mut settings = args.settings.apply(gesta::GroupSettings::default())?;
    settings.start = args.from.as_deref().map_or(Ok(From::Beginning), |from| place(from, &source))?;
    store.change_group(&group, GroupChange::Create(source, settings))?;
    shell.say(format_args!("created {group}"));
    Ok(())
}

fn reset(args: &ResetArgs, store: &Reached, shell: &Shell) -> Outcome<()> {
    let group = args.name.group()?;
    let source = source_of(&store.group(&group)?)?;
    let parked = if args.keep_parked { ParkedOnReset::Keep } else { ParkedOnReset::Discard };
    store.change_group(&group, GroupChange::Reset(place(&args.from, &source)?, parked))?;
    let now_at = store.group(&group)?.settled_to;
    shell.say(format_args!("reset {group}, it begins at @{now_at}"));
    Ok(())
}

impl std::convert::From<GroupError> for Failure {
    fn from(error: GroupError) -> Self {
        ClientError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_in_any_of_its_ways() {
        let named = |name: &str, on: Option<&str>| {
            let on = on.map(|stream| StreamName::new(stream).unwrap());
            group_name(name, on.as_ref()).unwrap().to_string()
        };
        assert_eq!(named("mail", None), "$all::mail");
        assert_eq!(named("mail", Some("$all")), "$all::mail");
        assert_eq!(named("mail", Some("$ce-order")), "$ce-order::mail");
        assert_eq!(named("$ce-order::mail", None), "$ce-order::mail");
    }

    /// Between two versions it was told as an error of whoever typed the command.
    #[test]
    fn an_answer_that_came_too_late_is_a_conflict() {
        assert_eq!(Failure::from(GroupError::NotInFlight { refused: Vec::new() }).exit, Exit::Conflict);
    }
}
