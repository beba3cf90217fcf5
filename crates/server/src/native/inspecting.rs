//! What is told of a query's plan and of a verification, both ways.

use gesta_store::{Access, ItemPlan, Plan, Position, VerifyReport};

use super::messages as wire;

pub(super) fn plan_to_wire(plan: Plan) -> wire::ExplainResp {
    use wire::explain_resp::{Item, Term};
    let term = |(kind, terms, postings)| Term { kind, terms, postings };
    wire::ExplainResp {
        by_index: plan.access == Access::Index,
        events_in_range: plan.events_in_range,
        matches_at_most: plan.matches_at_most,
        items: plan.items.into_iter().map(|item| Item { terms: item.terms.into_iter().map(term).collect() }).collect(),
        reason: plan.reason,
    }
}

pub(crate) fn plan_from_wire(plan: wire::ExplainResp) -> Plan {
    let item = |item: wire::explain_resp::Item| ItemPlan {
        terms: item.terms.into_iter().map(|term| (term.kind, term.terms, term.postings)).collect(),
    };
    Plan {
        access: if plan.by_index { Access::Index } else { Access::Scan },
        events_in_range: plan.events_in_range,
        matches_at_most: plan.matches_at_most,
        items: plan.items.into_iter().map(item).collect(),
        reason: plan.reason,
    }
}

pub(super) fn report_to_wire(report: VerifyReport) -> wire::verify_resp::Report {
    wire::verify_resp::Report {
        events: report.events,
        commits: report.commits,
        segments: report.segments,
        streams: report.streams,
        log_bytes: report.log_bytes,
        head: report.head.0,
        digest: report.digest,
        problems: report.problems,
        problem_count: report.problem_count,
    }
}

pub(crate) fn report_from_wire(report: wire::verify_resp::Report) -> VerifyReport {
    let mut told = VerifyReport::default();
    told.events = report.events;
    told.commits = report.commits;
    told.segments = report.segments;
    told.streams = report.streams;
    told.log_bytes = report.log_bytes;
    told.head = Position(report.head);
    told.digest = report.digest;
    told.problems = report.problems;
    told.problem_count = report.problem_count;
    told
}
