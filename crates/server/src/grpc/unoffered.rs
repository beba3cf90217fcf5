//! Calls nobody answers: what is missing, and what to do instead.

use axum::{
    body::Body,
    extract::Request,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use tonic::Status;

use crate::fault::cut;

/// Packages of services that are known and not offered, with what to say.
const SENTENCES: [(&str, &str); 2] = [
    ("kurrent.client.redaction", "chunk files cannot be switched: there are none"),
    (
        "kurrentdb.protocol.v2.indexes",
        "indexes need not be made: filter by stream or type, which is answered from an index",
    ),
];

/// Answers what no service answers.
#[derive(Clone, Copy, Debug)]
pub struct Unoffered;

impl Unoffered {
    /// The answer to a request: a status with a sentence to a gRPC call, 404 to anything else.
    pub async fn answer(request: Request) -> Response {
        let is_call = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/grpc"));
        if is_call {
            return Status::unimplemented(sentence(request.uri().path())).into_http::<Body>();
        }
        (StatusCode::NOT_FOUND, "not found\n").into_response()
    }
}

fn sentence(path: &str) -> String {
    let package = path.trim_start_matches('/').rsplit_once('.').map_or("", |(package, _)| package);
    match SENTENCES.iter().find(|(known, _)| *known == package) {
        Some((_, sentence)) => (*sentence).to_owned(),
        None => cut(format!("no such service, path={path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_its_package() {
        assert!(sentence("/kurrent.client.redaction.Redaction/SwitchChunks").starts_with("chunk files cannot"));
        assert_eq!(sentence("/grpc.health.v1.Health/Check"), "no such service, path=/grpc.health.v1.Health/Check");
        assert_eq!(sentence(""), "no such service, path=");
    }
}
