//! A client of the store's own protocol that waits on the calling thread: for programs that have no runtime of their own.

use std::{sync::Arc, time::Duration};

use gesta_store::{AppendError, Appended, From as Begin, Outcome, Position, ReadOptions, RecordedEvent, Source};
use tokio::runtime::{Builder, Runtime};
use tonic::{
    Request, Streaming,
    transport::{Channel, Endpoint},
};

use crate::native::{
    self, AppendRequest, ClientError,
    messages::{
        FollowReq, FollowResp, InfoReq, InfoResp, ReadResp, StreamsReq, append_resp::Verdict,
        store_client::StoreClient, streams_resp,
    },
};

/// How long it may take to connect.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A connection to a server.
#[derive(Clone, Debug)]
pub struct Client {
    /// With a thread of its own, which answers the server's pings while nobody waits.
    runtime: Arc<Runtime>,
    store: StoreClient<Channel>,
}

impl Client {
    /// Connects to `http://host:port`; `kurrentdb://host:port?tls=false` and the like are understood too.
    ///
    /// # Errors
    /// `Other` for an address that is none; `Unreachable`.
    pub fn connect(url: &str) -> Result<Self, ClientError> {
        let address = address_of(url).ok_or_else(|| {
            ClientError::Other(format!("not the address of a server, url={url}: write http://host:port"))
        })?;
        let endpoint = Endpoint::from_shared(address).map_err(|error| ClientError::Other(error.to_string()))?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIME).tcp_nodelay(true);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("gesta-client").build();
        let runtime = runtime.map_err(|error| ClientError::Other(format!("a thread could not be started: {error}")))?;
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| {
            ClientError::Unreachable(format!("the server cannot be reached, url={url}: {}", cause(&error)))
        })?;
        let store = StoreClient::new(channel).max_decoding_message_size(crate::limits::MESSAGE_BYTES_MAX);
        Ok(Self { runtime: Arc::new(runtime), store })
    }

    /// Facts about the store.
    ///
    /// # Errors
    /// As every request: what the store says, or that the server cannot be reached or denies it.
    pub fn info(&self) -> Result<InfoResp, ClientError> {
        let mut store = self.store.clone();
        Ok(self.runtime.block_on(store.info(InfoReq {}))?.into_inner())
    }

    /// Streams whose names begin with `prefix`, in order, behind `after`; at most `limit`, and perhaps fewer.
    ///
    /// # Errors
    /// As `info`.
    pub fn streams(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<streams_resp::Stream>, ClientError> {
        let mut store = self.store.clone();
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let request = StreamsReq { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit };
        Ok(self.runtime.block_on(store.streams(request))?.into_inner().streams)
    }

    /// Appends, and waits for the verdict.
    ///
    /// # Errors
    /// As `info`. That it was refused is a verdict.
    pub fn append(&self, request: AppendRequest) -> Result<Outcome, ClientError> {
        let mut store = self.store.clone();
        let answer = self.runtime.block_on(store.append(request.to_wire()))?.into_inner();
        let outcome = match answer.verdict {
            Some(Verdict::Appended(appended)) => {
                let appended: Appended = native::appended_from_wire(appended).map_err(ClientError::Store)?;
                Ok(appended)
            }
            Some(Verdict::Rejection(rejection)) => {
                Err(AppendError::Rejected(native::rejection_from_wire(rejection).map_err(ClientError::Store)?))
            }
            None => return Err(ClientError::Other("the server gave no verdict".to_owned())),
        };
        Ok(outcome)
    }

    /// Reads.
    ///
    /// # Errors
    /// As `info`.
    pub fn read(&self, source: &Source, options: &ReadOptions) -> Result<RemoteRead, ClientError> {
        let mut store = self.store.clone();
        let request = native::read_request(source, options);
        let mut batches = self.runtime.block_on(store.read(request))?.into_inner();
        let first = self.runtime.block_on(batches.message())?;
        let head = Position(first.map_or(0, |first| first.head));
        Ok(RemoteRead { runtime: Arc::clone(&self.runtime), batches, head })
    }

    /// Follows.
    ///
    /// # Errors
    /// As `info`.
    pub fn follow(&self, source: &Source, from: Begin, resolve_links: bool) -> Result<RemoteFollow, ClientError> {
        let mut store = self.store.clone();
        let request = FollowReq {
            source: Some(native::source_to_wire(source)),
            from: Some(native::from_to_wire(from)),
            resolve_links,
        };
        let batches = self.runtime.block_on(store.follow(Request::new(request)))?.into_inner();
        Ok(RemoteFollow { runtime: Arc::clone(&self.runtime), batches })
    }
}

/// A read in progress.
#[derive(Debug)]
pub struct RemoteRead {
    runtime: Arc<Runtime>,
    batches: Streaming<ReadResp>,
    head: Position,
}

impl RemoteRead {
    /// The head the read is pinned at.
    #[must_use]
    pub fn head(&self) -> Position {
        self.head
    }

    /// The next events; `None` at the end.
    ///
    /// # Errors
    /// What the store says, or that the server went away.
    pub fn next_batch(&mut self) -> Result<Option<Vec<RecordedEvent>>, ClientError> {
        match self.runtime.block_on(self.batches.message())? {
            Some(batch) => events(batch.events).map(Some),
            None => Ok(None),
        }
    }
}

/// What is followed.
#[derive(Debug)]
pub struct RemoteFollow {
    runtime: Arc<Runtime>,
    batches: Streaming<FollowResp>,
}

/// What came.
#[derive(Debug)]
pub enum Followed {
    /// These events, perhaps none; everything below the position was delivered or does not match.
    Events(Vec<RecordedEvent>, Position),
    /// Nothing in the given time.
    Nothing,
    /// The server ends the call.
    End,
}

impl RemoteFollow {
    /// What comes next, waiting at most so long.
    ///
    /// # Errors
    /// What the store says, or that the server went away.
    pub fn next(&mut self, patience: Duration) -> Result<Followed, ClientError> {
        let batches = &mut self.batches;
        // Giving up loses nothing: what has come in part stays with the call.
        let came = self.runtime.block_on(async { tokio::time::timeout(patience, batches.message()).await });
        Ok(match came {
            Err(_) => Followed::Nothing,
            Ok(message) => match message? {
                Some(FollowResp { events: batch, checked_to }) => {
                    Followed::Events(events(batch)?, Position(checked_to))
                }
                None => Followed::End,
            },
        })
    }
}

fn events(batch: Vec<native::messages::Event>) -> Result<Vec<RecordedEvent>, ClientError> {
    batch.into_iter().map(|event| native::recorded_from_wire(event).map_err(ClientError::Store)).collect()
}

/// The address behind any of the schemes clients know this protocol by. Those that mean TLS unless they say otherwise must say otherwise.
fn address_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = authority.trim_end_matches('/');
    let is_plain = query.split('&').any(|pair| pair.eq_ignore_ascii_case("tls=false"));
    let known = match scheme {
        "http" => true,
        "esdb" | "kurrent" | "kurrentdb" => is_plain,
        _ => false,
    };
    (known && !authority.is_empty() && !authority.contains(['/', '@'])).then(|| format!("http://{authority}"))
}

/// The innermost cause: what the system said.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_as_clients_write_them() {
        let address = Some("http://localhost:2113".to_owned());
        for url in ["http://localhost:2113", "http://localhost:2113/", "kurrentdb://localhost:2113?tls=false"] {
            assert_eq!(address_of(url), address, "{url}");
        }
        for url in ["localhost:2113", "https://localhost:2113", "kurrentdb://localhost:2113", "http://", "http://a/b"] {
            assert_eq!(address_of(url), None, "{url}");
        }
    }
}
