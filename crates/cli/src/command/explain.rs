//! `gesta explain`: how a query would be answered, and why.

use clap::Args;
use gesta::{Access, Plan};
use serde_json::json;

use crate::{
    exit::{Exit, Outcome},
    query_args::{FilterArgs, RangeArgs},
    shell::{BOLD, Format, Shell, grouped},
    table::{Column, Table},
    target::Target,
};

/// Arguments of `gesta explain`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta explain --type OrderPlaced --tag vip
  gesta explain --path '/files/src/**' --at 2026-01-31")]
pub(crate) struct ExplainArgs {
    /// The stream
    stream: Option<String>,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    range: RangeArgs,
}

/// Prints the plan.
pub(crate) fn run(args: &ExplainArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let source = args.filters.source(args.stream.as_deref())?;
    let options = args.range.options(&source)?;
    let query = args.filters.query(args.stream.as_deref())?;
    let store = target.reach()?;
    let plan = store.explain(&query, &options)?;
    match shell.format() {
        Format::Ndjson => shell.json(&as_json(&plan))?,
        Format::Table => print(&plan, shell)?,
        Format::Plain => print_fields(&plan, shell)?,
    }
    Ok(Exit::Ok)
}

fn name_of(access: Access) -> &'static str {
    match access {
        Access::Scan => "scan",
        Access::Index => "index",
    }
}

fn as_json(plan: &Plan) -> serde_json::Value {
    let term =
        |(kind, terms, postings): &(String, u64, u64)| json!({ "kind": kind, "terms": terms, "postings": postings });
    let items: Vec<_> =
        plan.items.iter().map(|item| json!({ "terms": item.terms.iter().map(term).collect::<Vec<_>>() })).collect();
    json!({
        "access": name_of(plan.access), "reason": plan.reason, "eventsInRange": plan.events_in_range,
        "matchesAtMost": plan.matches_at_most, "items": items,
    })
}

/// A line for each fact, and one for each restriction of an item of the query.
fn print_fields(plan: &Plan, shell: &mut Shell) -> Outcome<()> {
    shell.line(format_args!("access\t{}", name_of(plan.access)))?;
    shell.line(format_args!("reason\t{}", plan.reason))?;
    shell.line(format_args!("events in range\t{}", plan.events_in_range))?;
    if let Some(at_most) = plan.matches_at_most {
        shell.line(format_args!("matches at most\t{at_most}"))?;
    }
    for (at, item) in plan.items.iter().enumerate() {
        for (kind, terms, postings) in &item.terms {
            shell.line(format_args!("item\t{at}\t{kind}\t{terms}\t{postings}"))?;
        }
    }
    Ok(())
}

fn print(plan: &Plan, shell: &mut Shell) -> Outcome<()> {
    shell.line(format_args!("{BOLD}{}{BOLD:#}  {}", name_of(plan.access), plan.reason))?;
    shell.line(format_args!("events in range  {}", grouped(plan.events_in_range)))?;
    let at_most = plan.matches_at_most.map_or_else(|| "unknown".to_owned(), grouped);
    shell.line(format_args!("matches at most  {at_most}"))?;
    let mut table = Table::new([
        Column::number("item"),
        Column::text("restricted by"),
        Column::number("terms"),
        Column::number("postings"),
    ]);
    for (at, item) in plan.items.iter().enumerate() {
        for (kind, terms, postings) in &item.terms {
            table.row([at.to_string(), kind.clone(), grouped(*terms), grouped(*postings)]);
        }
    }
    table.print(shell)
}
