//! The door every request comes through, whatever it asks for: it is given its time limit, watched, counted, and answered by the routes.
//!
//! A client that gives its call a time limit has it kept here, so that a call nobody waits for any more does not go on waiting for its turn.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{
        HeaderMap, Request, Response, StatusCode, Version,
        header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::IntoResponse,
};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tonic::{Code, Status, transport::server::TcpConnectInfo};
use tower_service::Service;
use tracing::Instrument;

use crate::{
    calls::{By, Calls, OpenCall},
    connections::Traffic,
    fault::Fault,
    grpc::gossip,
    heard::{Heard, Share},
    security::Security,
};

/// The header by which a client limits the time of a call.
const TIMEOUT: &str = "grpc-timeout";
/// How callers over HTTP without gRPC are asked who they are.
const CHALLENGE: &str = "Basic realm=\"gesta\", charset=\"UTF-8\"";

/// The door. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    routes: Router,
    security: Security,
    calls: Arc<Calls>,
    traffic: Arc<Traffic>,
    requests_bytes_max: usize,
}

/// The door as one connection comes to it.
#[derive(Clone)]
pub(crate) struct Visitor {
    door: Door,
    info: TcpConnectInfo,
    share: Arc<Share>,
}

impl Door {
    /// The door to `routes`. Requests of one connection may hold so many bytes.
    pub(crate) fn new(
        routes: Router,
        security: Security,
        calls: Arc<Calls>,
        traffic: Arc<Traffic>,
        requests_bytes_max: usize,
    ) -> Self {
        Self { routes, security, calls, traffic, requests_bytes_max }
    }

    pub(crate) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    async fn answer(mut self, mut request: Request<Body>, info: TcpConnectInfo) -> Response<Answer> {
        let mut call = self.calls.begin(&request, info.remote_addr);
        let limit = time_limit(request.headers());
        request.extensions_mut().insert(info);
        if request.uri().path() == gossip::PATH
            && let Some(found) = request.uri().authority().cloned()
        {
            request.extensions_mut().insert(found);
        }
        let span = call.span().clone();
        let answered = async {
            if says_more_over_http_1(&request) {
                return (StatusCode::HTTP_VERSION_NOT_SUPPORTED.into_response(), By::Door);
            }
            match self.security.admit(&mut request).await {
                Ok(()) => {
                    let response = self.routes.call(request).await.unwrap_or_else(|never| match never {});
                    (response, By::Service)
                }
                Err(fault) => (turned_away(request.headers(), fault), By::Door),
            }
        }
        .instrument(span);
        let (response, by) = match limit {
            None => answered.await,
            Some(limit) => match tokio::time::timeout(limit, answered).await {
                Ok(answered) => answered,
                Err(_) => (Status::deadline_exceeded("the time the client gave is over").into_http(), By::Door),
            },
        };
        call.answered(&response, by);
        response.map(|body| Answer { body, call })
    }
}

impl Visitor {
    pub(crate) fn new(door: Door, peer: SocketAddr) -> Self {
        let share = Share::of(door.requests_bytes_max);
        Self { door, info: TcpConnectInfo { local_addr: None, remote_addr: Some(peer) }, share }
    }
}

impl hyper::service::Service<Request<Incoming>> for Visitor {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let body = Heard::new(body, parts.uri.path(), Arc::clone(&self.share));
        if body.is_conversation() {
            parts.extensions.insert(Arc::clone(&self.share));
        }
        let held = body.holding();
        let answer = self.door.clone().answer(Request::from_parts(parts, Body::new(body)), self.info.clone());
        Box::pin(async move {
            let answer = answer.await;
            drop(held);
            Ok(answer)
        })
    }
}

/// An answer on its way: with it ends the call.
pub(crate) struct Answer {
    body: Body,
    call: OpenCall,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.told(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether a request over HTTP/1.1 has a body. None needs one there: calls are made over HTTP/2, and of a client that is gone before it has said all nothing would
/// tell, as there are no pings.
fn says_more_over_http_1(request: &Request<Body>) -> bool {
    request.version() < Version::HTTP_2 && !request.body().is_end_stream()
}

/// What somebody is told who is not let in: in the words of what he speaks.
fn turned_away(headers: &HeaderMap, fault: Fault) -> Response<Body> {
    let status = Status::from(fault);
    let is_call = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if is_call {
        return status.into_http();
    }
    let text = format!("{}\n", status.message());
    #[allow(clippy::wildcard_enum_match_arm, reason = "whatever else keeps somebody out is a fault of ours")]
    match status.code() {
        Code::PermissionDenied if headers.contains_key(AUTHORIZATION) => (StatusCode::FORBIDDEN, text).into_response(),
        Code::Unauthenticated | Code::PermissionDenied => {
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, CHALLENGE)], text).into_response()
        }
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, text).into_response(),
    }
}

/// The time a client gives a call: up to eight digits and a unit.
fn time_limit(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_are_read_as_the_protocol_writes_them() {
        let limit = |text: &str| time_limit(&HeaderMap::from_iter([(TIMEOUT.parse().unwrap(), text.parse().unwrap())]));
        assert_eq!(limit("5S"), Some(Duration::from_secs(5)));
        assert_eq!(limit("250m"), Some(Duration::from_millis(250)));
        assert_eq!(limit("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for wrong in ["", "S", "5", "5x", "-5S", "123456789S", "5€", "+5S"] {
            let header = axum::http::HeaderValue::from_bytes(wrong.as_bytes()).unwrap();
            assert_eq!(time_limit(&HeaderMap::from_iter([(TIMEOUT.parse().unwrap(), header)])), None, "{wrong:?}");
        }
    }
}
