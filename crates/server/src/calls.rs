//! Calls, counted by method and status, timed until they are answered, and told of in the log when they fail by our fault or are slow.
//!
//! A call is *answered* when its response begins: for a call with one answer that is all there is to do, for a stream it is when it can flow, after
//! which the client sets the pace. Names of methods come from clients, so only those that somebody answers to get meters of their own: what is turned
//! away at the door, or runs out of time there, proves nothing about the name.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::http::{HeaderMap, Request, Response, header::CONTENT_TYPE};
use gesta_store::measures::{Distribution, Meter};
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::Span;

use crate::{limits::METHODS_METERED_MAX, traces};

/// The header or trailer with the status of a call.
const STATUS: &str = "grpc-status";
/// The trailer with the name of a failure that clients know.
const EXCEPTION: &str = "exception";
/// Statuses there are.
const CODES: usize = 17;
/// Where calls are counted that nobody answers to, or that come too late to be counted apart.
const OTHER: &str = "other";

/// Who answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Who was asked.
    Service,
    /// Who let nobody through, or waited no longer.
    Door,
}

/// What was counted of all calls.
#[derive(Debug)]
pub(crate) struct Calls {
    methods: RwLock<BTreeMap<String, Arc<Method>>>,
    other: Arc<Method>,
    open: AtomicU64,
    slow: Duration,
}

/// What was counted of the calls of one method.
#[derive(Debug, Default)]
struct Method {
    by_code: [AtomicU64; CODES],
    answered_micros: Meter,
}

/// What was counted of the calls of one method so far.
#[derive(Debug)]
pub(crate) struct CountedCalls {
    /// `package.Service/Method`.
    pub(crate) method: String,
    /// How many ended with which status; only statuses that were met.
    pub(crate) by_code: Vec<(&'static str, u64)>,
    /// How long answers took, in microseconds.
    pub(crate) answered_micros: Distribution,
}

impl Calls {
    /// Nothing counted yet; calls are slow from so much time on.
    pub(crate) fn new(slow: Duration) -> Self {
        Self { methods: RwLock::default(), other: Arc::default(), open: AtomicU64::new(0), slow }
    }

    /// A request has come.
    pub(crate) fn begin<B>(self: &Arc<Self>, request: &Request<B>, peer: Option<SocketAddr>) -> OpenCall {
        let path = is_call(request.headers()).then(|| request.uri().path().trim_start_matches('/').into());
        let known = path.as_deref().and_then(|path| self.known(path));
        self.open.fetch_add(1, Relaxed);
        let span = match path.as_deref() {
            Some(path) => span(path, peer),
            None => Span::none(),
        };
        traces::adopt(&span, request.headers());
        OpenCall { calls: Arc::clone(self), path, known, peer, begun: Instant::now(), code: None, span }
    }

    /// Requests that have not ended.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// What was counted so far, method by method, in the order of their names.
    pub(crate) fn counted(&self) -> Vec<CountedCalls> {
        let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner);
        let other = (!self.other.is_unused()).then_some((OTHER, &self.other));
        let methods = methods.iter().map(|(name, method)| (name.as_str(), method)).chain(other);
        methods.map(|(name, method)| method.counted(name)).collect()
    }

    fn known(&self, path: &str) -> Option<Arc<Method>> {
        self.methods.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Where a call of a method is counted that is not known yet and was answered so.
    fn method(&self, path: &str, code: Code, by: By) -> Arc<Method> {
        if by == By::Door || code == Code::Unimplemented {
            return Arc::clone(&self.other);
        }
        let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = methods.get(path) {
            return Arc::clone(known);
        }
        if methods.len() >= METHODS_METERED_MAX {
            return Arc::clone(&self.other);
        }
        Arc::clone(methods.entry(path.to_owned()).or_default())
    }
}

impl Method {
    fn is_unused(&self) -> bool {
        self.by_code.iter().all(|count| count.load(Relaxed) == 0)
    }

    fn counted(&self, method: &str) -> CountedCalls {
        let codes = (0..).map(|code| name_of(Code::from(code))).zip(&self.by_code);
        let by_code = codes.map(|(name, count)| (name, count.load(Relaxed))).filter(|&(_, count)| count > 0).collect();
        CountedCalls { method: method.to_owned(), by_code, answered_micros: self.answered_micros.shown() }
    }
}

/// A request in progress. It ends when it is dropped, and was cancelled if it has no status by then.
#[derive(Debug)]
pub(crate) struct OpenCall {
    calls: Arc<Calls>,
    /// The method, if it is a call.
    path: Option<Box<str>>,
    known: Option<Arc<Method>>,
    peer: Option<SocketAddr>,
    begun: Instant,
    code: Option<Code>,
    span: Span,
}

/// The span of a call; none, unless somebody takes it.
fn span(path: &str, peer: Option<SocketAddr>) -> Span {
    let address = peer.map(|peer| tracing::field::display(peer.ip()));
    let port = peer.map(|peer| peer.port());
    tracing::debug_span!(
        target: traces::TARGET, "call", otel.name = path, otel.kind = "server", rpc.system.name = "grpc", rpc.method = path,
        network.peer.address = address, network.peer.port = port, rpc.response.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    )
}

impl OpenCall {
    /// What is done for it is part of this.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// The response begins.
    pub(crate) fn answered<B>(&mut self, response: &Response<B>, by: By) {
        self.told(response.headers());
        let Some(path) = &self.path else { return };
        let took = self.begun.elapsed();
        if took >= self.calls.slow {
            let (took_ms, peer) = (took.as_millis() as u64, self.peer.map(tracing::field::display));
            tracing::warn!(method = %path, took_ms, peer, "slow call");
        }
        let method = self.known.get_or_insert_with(|| self.calls.method(path, self.code.unwrap_or(Code::Ok), by));
        method.answered_micros.meet(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// The status may be among these headers, or trailers.
    pub(crate) fn told(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(STATUS) {
            let code = Code::from_bytes(status.as_bytes());
            self.code = Some(code);
            self.tell(code, headers);
        }
    }

    /// Tells of a failure that is ours.
    fn tell(&self, code: Code, headers: &HeaderMap) {
        // What clients know by a name is theirs to mend, whatever code the protocol has for it.
        if !matches!(code, Code::Internal | Code::DataLoss | Code::Unknown) || headers.contains_key(EXCEPTION) {
            return;
        }
        let status = Status::from_header_map(headers);
        let message = status.as_ref().map(Status::message).unwrap_or_default();
        let method = self.path.as_deref().unwrap_or_default();
        tracing::error!(method, code = name_of(code), message, "call failed");
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.calls.open.fetch_sub(1, Relaxed);
        let Some(path) = &self.path else { return };
        let code = self.code.unwrap_or(Code::Cancelled);
        self.span.record("rpc.response.status_code", name_of(code));
        if is_failure(code) {
            self.span.record("otel.status_code", "ERROR");
        }
        let method = self.known.take().unwrap_or_else(|| self.calls.method(path, code, By::Door));
        if let Some(count) = method.by_code.get(code as usize) {
            count.fetch_add(1, Relaxed);
        }
    }
}

/// Whether a request is a call, by what it says it is.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/grpc"))
}

/// Whether a call that ended so failed on this side, as the conventions for spans of servers say: what a client may not, or asks wrongly, is an answer.
fn is_failure(code: Code) -> bool {
    match code {
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => false,
    }
}

fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(calls: &Arc<Calls>, path: &str, status: Option<&str>) {
        let request = Request::builder().uri(path).header(CONTENT_TYPE, "application/grpc").body(()).unwrap();
        let mut call = calls.begin(&request, None);
        call.answered(&Response::new(()), By::Service);
        if let Some(status) = status {
            call.told(&HeaderMap::from_iter([(STATUS.parse().unwrap(), status.parse().unwrap())]));
        }
    }

    fn shown(calls: &Calls) -> Vec<String> {
        let counted = calls.counted();
        counted.iter().map(|one| format!("{} {:?} {}", one.method, one.by_code, one.answered_micros.count)).collect()
    }

    #[tokio::test]
    async fn calls_are_counted_by_method_and_status() {
        let calls = Arc::new(Calls::new(Duration::MAX));
        call(&calls, "/a.A/Read", Some("0"));
        call(&calls, "/a.A/Read", Some("14"));
        call(&calls, "/a.A/Read", None);
        assert_eq!(shown(&calls), [r#"a.A/Read [("OK", 1), ("CANCELLED", 1), ("UNAVAILABLE", 1)] 3"#]);
        assert_eq!(calls.open(), 0);
    }

    #[tokio::test]
    async fn names_nobody_answers_to_take_no_memory() {
        let calls = Arc::new(Calls::new(Duration::MAX));
        let answered = |path: String, status: &'static str, by| {
            let request = Request::builder().uri(path).header(CONTENT_TYPE, "application/grpc+proto").body(()).unwrap();
            let mut call = calls.begin(&request, None);
            call.answered(&Response::builder().header(STATUS, status).body(()).unwrap(), by);
        };
        for number in 0..1000 {
            answered(format!("/junk.{number}/X"), "12", By::Service);
            // Whoever lets nobody through does not know whether anybody would have answered.
            answered(format!("/junk.{number}/X"), "7", By::Door);
            let request = Request::builder().uri(format!("/junk.{number}/X")).header(CONTENT_TYPE, "application/grpc");
            drop(calls.begin(&request.body(()).unwrap(), None));
        }
        let other = r#"other [("CANCELLED", 1000), ("PERMISSION_DENIED", 1000), ("UNIMPLEMENTED", 1000)] 2000"#;
        assert_eq!(shown(&calls), [other]);
        for number in 0..=METHODS_METERED_MAX {
            answered(format!("/m.{number:04}/X"), "0", By::Service);
        }
        let counted = calls.counted();
        assert_eq!(counted.len(), METHODS_METERED_MAX + 1);
        assert_eq!(counted.last().unwrap().by_code[0], ("OK", 1));
    }

    #[tokio::test]
    async fn what_is_no_call_is_open_and_no_more() {
        let calls = Arc::new(Calls::new(Duration::MAX));
        let open = calls.begin(&Request::builder().uri("/metrics").body(()).unwrap(), None);
        assert_eq!(calls.open(), 1);
        drop(open);
        assert_eq!((calls.open(), calls.counted().len()), (0, 0));
    }
}
