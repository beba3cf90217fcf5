//! What is answered over HTTP/1.1 to those who watch over the server: is it alive, is it ready, what does it do.
//!
//! Alive means that the process answers, whatever else is wrong: starting it anew would not make it better. Ready means that appends sent to it
//! are taken: the store is open and has not refused any since a write failed, and nobody asked the server to stop.

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

use gesta_store::EventStore;

use crate::{
    limits::STORE_LOOKED_AFTER_EVERY,
    metrics::{self, Metrics},
    stopping::Stopping,
};

/// `/health/live`, `/health/ready` and `/metrics`, added to `routes`.
pub(crate) fn add_to(routes: Router, metrics: Metrics) -> Router {
    let watched = metrics.clone();
    routes
        .route("/health/live", get(|| async { StatusCode::NO_CONTENT }))
        .route("/health/ready", get(move || async move { ready(&watched) }))
        .route("/metrics", get(move || page(metrics)))
}

fn ready(metrics: &Metrics) -> Response {
    let unready = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    if metrics.stopping.is_told() {
        return unready("the server is about to end");
    }
    match metrics.store.refusing_appends() {
        Some(why) => unready(&format!("appends are refused: {why}")),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Says in the log that the store takes no more appends, as soon as that is seen; nobody may be asking.
pub(crate) async fn look_after(store: EventStore, mut stopping: Stopping) {
    loop {
        if let Some(why) = store.refusing_appends() {
            return tracing::error!(why, "a write failed, appends are refused until the store is opened again");
        }
        tokio::select! {
            () = tokio::time::sleep(STORE_LOOKED_AFTER_EVERY) => {}
            () = stopping.told() => return,
        }
    }
}

async fn page(metrics: Metrics) -> Response {
    match tokio::task::spawn_blocking(move || metrics.page()).await {
        Ok(page) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response(),
        Err(error) => {
            tracing::error!(%error, "reading the metrics failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
