//! Spans of calls for a collector of traces, by OTLP; with the feature `otel`, and when somebody says where to.
//!
//! A call is a span of the trace its client began, if it says which (`traceparent`). What is sent, and that it is sent, costs calls nothing they wait for: spans
//! are gathered, and sent by a thread of the exporter.

#[cfg(feature = "otel")]
mod export;

#[cfg(feature = "otel")]
pub(crate) use export::{Exporter, adopt};

/// The part of the program that spans of calls are filtered by.
pub(crate) const TARGET: &str = "gesta_server::call";

/// Without the feature, nobody takes spans.
#[cfg(not(feature = "otel"))]
pub(crate) fn adopt(_: &tracing::Span, _: &axum::http::HeaderMap) {}

/// Where spans go.
#[cfg(not(feature = "otel"))]
#[derive(Debug)]
pub(crate) struct Exporter;

#[cfg(not(feature = "otel"))]
impl Exporter {
    /// Says that nobody takes spans.
    pub(crate) fn start(_: &str) -> Result<Self, String> {
        Err("this program was built without OpenTelemetry: build it with `--features otel`".to_owned())
    }

    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn layer<S>(&self) -> Box<dyn tracing_subscriber::Layer<S> + Send + Sync>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> + Send + Sync,
    {
        tracing_subscriber::Layer::boxed(tracing_subscriber::layer::Identity::new())
    }
}
