//! The exporter.

use axum::http::HeaderMap;
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tokio::runtime::{Builder, Runtime};
use tracing::{Span, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::TARGET;
use crate::runtimes;

/// Sends spans until it is dropped, and then what it still has.
#[derive(Debug)]
pub(crate) struct Exporter {
    provider: SdkTracerProvider,
    /// Of the connection to the collector: it is there before the server has one, and after.
    _runtime: Runtime,
}

impl Exporter {
    /// Begins to send to a collector; whether it is there is seen later.
    pub(crate) fn start(endpoint: &str) -> Result<Self, String> {
        let mut description = Builder::new_multi_thread();
        description.worker_threads(1).enable_all().thread_name("gesta-traces");
        let runtime =
            runtimes::build(&mut description).map_err(|error| format!("a thread could not be started: {error}"))?;
        let inside = runtime.enter();
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build();
        let exporter =
            exporter.map_err(|error| format!("not the address of a collector, endpoint={endpoint}: {error}"))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(Resource::builder().with_service_name("gesta").build())
            .build();
        drop(inside);
        Ok(Self { provider, _runtime: runtime })
    }

    /// What takes the spans of calls, and no others.
    pub(crate) fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let calls = Targets::new().with_target(TARGET, LevelFilter::DEBUG);
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("gesta")).with_filter(calls).boxed()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "spans were not sent");
        }
    }
}

/// Makes a call part of the trace its client says it belongs to.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap) {
    if !span.is_disabled() {
        // A span that was begun already stays where it is; this one was not.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&Headers(headers)));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
