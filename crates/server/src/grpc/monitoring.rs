//! Figures of the running server, again and again: under KurrentDB's names where it has the same figure, under ours where only we do.

use std::{collections::HashMap, time::Duration};

use gesta_store::EventStore;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    fault::Fault,
    limits::STATS_EVERY_AT_LEAST,
    metrics::process,
    proto::event_store::client::monitoring::{StatsReq, StatsResp, monitoring_server::Monitoring},
    stopping::Stopping,
    waiting::waiting,
};

/// The service of figures.
#[derive(Clone, Debug)]
pub struct MonitoringService {
    store: EventStore,
    stopping: Stopping,
}

impl MonitoringService {
    /// The figures of `store` and of this process.
    #[must_use]
    pub fn new(store: EventStore, stopping: Stopping) -> Self {
        Self { store, stopping }
    }
}

#[tonic::async_trait]
impl Monitoring for MonitoringService {
    type StatsStream = ReceiverStream<Result<StatsResp, Status>>;

    async fn stats(&self, request: Request<StatsReq>) -> Result<Response<Self::StatsStream>, Status> {
        let every = Duration::from_millis(request.get_ref().refresh_time_period_in_ms).max(STATS_EVERY_AT_LEAST);
        let (answers, receiver) = mpsc::channel(1);
        tokio::spawn(tell(self.store.clone(), every, self.stopping.clone(), answers));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

async fn tell(
    store: EventStore,
    every: Duration,
    mut stopping: Stopping,
    answers: mpsc::Sender<Result<StatsResp, Status>>,
) {
    let mut load = Load::default();
    loop {
        let store = store.clone();
        let percent = load.since_last();
        let told = waiting(move || figures(&store, percent)).await.map(|stats| StatsResp { stats });
        let failed = told.is_err();
        tokio::select! {
            sent = answers.send(told) => if sent.is_err() || failed { return },
            () = stopping.told() => return stop(&answers).await,
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = answers.closed() => return,
            () = stopping.told() => return stop(&answers).await,
        }
    }
}

/// Tells the client: an end without a word would look as if there were no more figures.
async fn stop(answers: &mpsc::Sender<Result<StatsResp, Status>>) {
    let _ = answers.send(Err(Fault::Stopping.into())).await;
}

/// How busy the process is, from one time to the next.
#[derive(Default)]
struct Load {
    last: Option<(Instant, Duration)>,
}

impl Load {
    /// Time of processors used since the last time, in percent of one; at first, none.
    fn since_last(&mut self) -> f64 {
        let Some(used) = process::processor_time() else { return 0.0 };
        let now = Instant::now();
        match self.last.replace((now, used)) {
            Some((then, before)) => {
                100.0 * used.saturating_sub(before).as_secs_f64() / (now - then).as_secs_f64().max(1e-3)
            }
            None => 0.0,
        }
    }
}

fn figures(store: &EventStore, processor_percent: f64) -> Result<HashMap<String, String>, Fault> {
    let info = store.info()?;
    let mut figures = HashMap::new();
    let mut tell = |name: &str, value: String| figures.insert(name.to_owned(), value);
    tell("proc-id", std::process::id().to_string());
    tell("proc-mem", process::resident_bytes().unwrap_or_default().to_string());
    tell("proc-cpu", format!("{processor_percent:.2}"));
    let used = process::processor_time().unwrap_or_default();
    tell("gesta-cpu-seconds", format!("{:.2}", used.as_secs_f64()));
    // What KurrentDB calls so is how far its log was written.
    tell("es-checksum", info.head.0.to_string());
    tell("es-checksumNonFlushed", info.head.0.to_string());
    tell("gesta-streams", info.streams.to_string());
    tell("gesta-log-segments", info.segments.to_string());
    tell("gesta-log-bytes", info.log_bytes.to_string());
    tell("gesta-index-runs", info.index_runs.to_string());
    tell("gesta-index-bytes", info.index_bytes.to_string());
    Ok(figures)
}
