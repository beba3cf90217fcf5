//! A client of the store's own protocol that waits on the calling thread: for programs that have no runtime of their own.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use gesta_store::{
    AppendError, Appended, From as Begin, GroupName, Outcome, Plan, Position, Query, ReadOptions, RecordedEvent,
    Source, VerifyReport,
};
use tokio::runtime::{Builder, Runtime};
use tonic::{
    Request, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::{
    limits::{PING_INTERVAL, PING_TIME},
    native::{
        self, AppendRequest, ClientError, GroupChange,
        messages::{
            ExplainReq, FollowReq, FollowResp, Group, GroupsReq, InfoReq, InfoResp, ParkedReq, ReadResp, StreamsReq,
            VerifyReq, append_resp::Verdict, parked_resp, store_client::StoreClient, streams_resp,
        },
    },
    runtimes,
};

/// How long it may take to connect.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A connection to a server. One that is silent is asked whether it is still there, while something is waited for.
#[derive(Clone, Debug)]
pub struct Client {
    /// With a thread of its own, which answers the server's pings while nobody waits.
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) channel: Channel,
    pub(crate) store: StoreClient<Channel>,
    credentials: Option<MetadataValue<Ascii>>,
}

impl Client {
    /// Connects to `http://host:port`, or to `https://host:port` if the server's certificate rests on `authority` (in PEM form). With a name and
    /// a password in front of the host, every request says them. `kurrentdb://host:port?tls=false` and the like are understood too.
    ///
    /// # Errors
    /// `Other` for an address that is none; `NoRuntime`; `Unreachable`.
    pub fn connect(url: &str, authority: Option<&[u8]>) -> Result<Self, ClientError> {
        let other = |what: String| ClientError::Other(what);
        let address = Address::parse(url).ok_or_else(|| {
            other("not the address of a server: write http://host:port, or https://name:password@host:port".to_owned())
        })?;
        let shown = &address.endpoint;
        let endpoint = Endpoint::from_shared(address.endpoint.clone()).map_err(|error| other(error.to_string()))?;
        let mut endpoint = endpoint
            .connect_timeout(CONNECT_TIME)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIME);
        if shown.starts_with("https:") {
            let Some(authority) = authority else {
                return Err(other(format!("a certificate is needed to know the server by, url={shown}")));
            };
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
            endpoint = endpoint.tls_config(tls).map_err(|error| other(cause(&error)))?;
        }
        let mut description = Builder::new_multi_thread();
        description.worker_threads(1).enable_all().thread_name("gesta-client");
        let runtime = runtimes::build(&mut description).map_err(native::no_runtime)?;
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| {
            ClientError::Unreachable(format!("the server cannot be reached, url={shown}: {}", cause(&error)))
        })?;
        let store = StoreClient::new(channel.clone()).max_decoding_message_size(crate::limits::MESSAGE_BYTES_MAX);
        Ok(Self { runtime: Arc::new(runtime), channel, store, credentials: address.credentials })
    }

    /// A request, with who makes it.
    pub(crate) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(credentials) = &self.credentials {
            request.metadata_mut().insert("authorization", credentials.clone());
        }
        request
    }

    /// Facts about the store.
    ///
    /// # Errors
    /// As every request: what the store says, or that the server cannot be reached or denies it.
    pub fn info(&self) -> Result<InfoResp, ClientError> {
        let mut store = self.store.clone();
        Ok(self.runtime.block_on(store.info(self.request(InfoReq {})))?.into_inner())
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
        Ok(self.runtime.block_on(store.streams(self.request(request)))?.into_inner().streams)
    }

    /// Appends, and waits for the verdict.
    ///
    /// # Errors
    /// As `info`. That it was refused is a verdict.
    pub fn append(&self, request: AppendRequest) -> Result<Outcome, ClientError> {
        let mut store = self.store.clone();
        let answer = self.runtime.block_on(store.append(self.request(request.to_wire())))?.into_inner();
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
        let mut batches = self.runtime.block_on(store.read(self.request(request)))?.into_inner();
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
        let batches = self.runtime.block_on(store.follow(self.request(request)))?.into_inner();
        Ok(RemoteFollow { runtime: Arc::clone(&self.runtime), batches })
    }

    /// How a query would be answered, and why.
    ///
    /// # Errors
    /// As `info`.
    pub fn explain(&self, query: &Query, options: &ReadOptions) -> Result<Plan, ClientError> {
        let mut store = self.store.clone();
        let read = native::read_request(&Source::All, options);
        let request = ExplainReq { query: Some(native::query_to_wire(query)), read: Some(read) };
        Ok(native::plan_from_wire(self.runtime.block_on(store.explain(self.request(request)))?.into_inner()))
    }

    /// Has the whole store verified; `progress` is told how many events were.
    ///
    /// # Errors
    /// As `info`.
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> Result<VerifyReport, ClientError> {
        let mut store = self.store.clone();
        let mut answers = self.runtime.block_on(store.verify(self.request(VerifyReq {})))?.into_inner();
        while let Some(answer) = self.runtime.block_on(answers.message())? {
            progress(answer.checked);
            if let Some(report) = answer.report {
                return Ok(native::report_from_wire(report));
            }
        }
        Err(ClientError::Unreachable("the server ended before the store was verified".to_owned()))
    }

    /// Where groups stand: one, or all.
    ///
    /// # Errors
    /// As `info`; `Group`.
    pub fn groups(&self, which: Option<&GroupName>) -> Result<Vec<Group>, ClientError> {
        let mut store = self.store.clone();
        let request = GroupsReq { group: which.map(GroupName::to_string) };
        Ok(self.runtime.block_on(store.groups(self.request(request)))?.into_inner().groups)
    }

    /// Does something with a group; answers with how many messages were replayed or given up.
    ///
    /// # Errors
    /// As `info`; `Group`.
    pub fn change_group(&self, group: &GroupName, change: &GroupChange) -> Result<u64, ClientError> {
        let mut store = self.store.clone();
        let request = change.to_wire(group).map_err(ClientError::Store)?;
        Ok(self.runtime.block_on(store.change_group(self.request(request)))?.into_inner().messages)
    }

    /// Parked messages of a group, from a position on: at most `limit`, and perhaps fewer than there are.
    ///
    /// # Errors
    /// As `info`; `Group`.
    pub fn parked(
        &self,
        group: &GroupName,
        from: Position,
        limit: usize,
    ) -> Result<Vec<parked_resp::Message>, ClientError> {
        let mut store = self.store.clone();
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let request = ParkedReq { group: group.to_string(), from: from.0, limit };
        Ok(self.runtime.block_on(store.parked(self.request(request)))?.into_inner().messages)
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
    /// Everything that was there, up to this position.
    CaughtUp(Position),
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
                Some(FollowResp { checked_to, caught_up: true, .. }) => Followed::CaughtUp(Position(checked_to)),
                Some(FollowResp { events: batch, checked_to, caught_up: false }) => {
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

/// An address without the name and password in it: for people to see, and for whoever asks without them.
#[must_use]
pub fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

/// Where a server is, and who comes.
struct Address {
    endpoint: String,
    credentials: Option<MetadataValue<Ascii>>,
}

impl Address {
    /// Reads any of the schemes clients know this protocol by. Those that mean TLS unless they say otherwise do so here too.
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let host = host.trim_end_matches('/');
        let is_plain = query.split('&').any(|pair| pair.eq_ignore_ascii_case("tls=false"));
        let scheme = match scheme {
            "http" => "http",
            "https" => "https",
            "esdb" | "kurrent" | "kurrentdb" => {
                if is_plain {
                    "http"
                } else {
                    "https"
                }
            }
            _ => return None,
        };
        if host.is_empty() || host.contains('/') {
            return None;
        }
        let credentials = match user {
            Some(user) => {
                let mut value: MetadataValue<Ascii> = format!("Basic {}", STANDARD.encode(user)).parse().ok()?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Some(Self { endpoint: format!("{scheme}://{host}"), credentials })
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.endpoint)
    }
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
        let endpoint = |url: &str| Address::parse(url).map(|address| address.endpoint);
        let plain = Some("http://localhost:2113".to_owned());
        for url in ["http://localhost:2113", "http://localhost:2113/", "kurrentdb://localhost:2113?tls=false"] {
            assert_eq!(endpoint(url), plain, "{url}");
        }
        let secure = Some("https://localhost:2113".to_owned());
        for url in ["https://a:b@localhost:2113", "kurrentdb://localhost:2113", "esdb://a@localhost:2113?x=y"] {
            assert_eq!(endpoint(url), secure, "{url}");
        }
        for url in ["localhost:2113", "ftp://localhost:2113", "http://", "http://a/b", "http://a:b@"] {
            assert_eq!(endpoint(url), None, "{url}");
        }
    }

    #[test]
    fn a_password_is_said_and_not_shown() {
        let address = Address::parse("http://admin:s3cret@localhost:2113").unwrap();
        let credentials = address.credentials.clone().unwrap();
        assert_eq!(credentials, "Basic YWRtaW46czNjcmV0");
        assert!(!format!("{address:?} {credentials:?}").contains("YWRtaW46"));
    }
}
