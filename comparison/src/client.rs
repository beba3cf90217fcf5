//! A store's own Rust client, and the one thing it is asked: to append an event and wait until it is durable.

use std::net::SocketAddr;

use kurrentdb::{AppendToStreamOptions, BatchAppendClient, BatchAppendOptions, EventData, StreamState};
use tephra_client::{AsyncClient, Event};
use umadb_client::{AsyncUmaDbClient, UmaDbClient};
use umadb_dcb::{DcbEvent, DcbEventStoreAsync};
use uuid::Uuid;

use crate::server::Store;

const EVENT_BYTES: usize = 256;
const EVENT_TYPE: &str = "OrderPlaced";

pub(crate) enum Client {
    Gesta(BatchAppendClient),
    GestaUnary(kurrentdb::Client),
    UmaDb(AsyncUmaDbClient),
    Tephra(AsyncClient),
}

impl Client {
    pub(crate) async fn connect(store: Store, address: SocketAddr) -> Self {
        match store {
            Store::Gesta => {
                let open = kurrent(address).batch_append(&BatchAppendOptions::default()).await;
                Self::Gesta(open.expect("a call"))
            }
            Store::GestaUnary => Self::GestaUnary(kurrent(address)),
            Store::UmaDb => {
                let client = UmaDbClient::new(format!("http://{address}")).connect_async().await;
                Self::UmaDb(client.expect("a connection"))
            }
            Store::Tephra => Self::Tephra(AsyncClient::connect(address).await.expect("a connection")),
        }
    }

    /// Where a stream is, the others have a tag of the same name.
    pub(crate) async fn append(&self, number: usize) {
        let (stream, data) = (format!("order-{number}"), vec![b'7'; EVENT_BYTES]);
        match self {
            Self::Gesta(open) => {
                open.append_to_stream(stream, StreamState::Any, vec![event(data)]).await.expect("recorded");
            }
            Self::GestaUnary(client) => {
                client
                    .append_to_stream(stream, &AppendToStreamOptions::default(), event(data))
                    .await
                    .expect("recorded");
            }
            Self::UmaDb(client) => {
                let event = DcbEvent::default().event_type(EVENT_TYPE).tags([stream]).data(data).uuid(Uuid::new_v4());
                client.append(vec![event], None, None).await.expect("recorded");
            }
            Self::Tephra(client) => {
                let event = Event::new(EVENT_TYPE, [stream], data).expect("a valid event");
                client.append([event], None).await.expect("recorded");
            }
        }
    }
}

fn kurrent(address: SocketAddr) -> kurrentdb::Client {
    let settings = format!("kurrentdb://{address}?tls=false").parse().expect("a connection string");
    kurrentdb::Client::new(settings).expect("a client")
}

fn event(data: Vec<u8>) -> EventData {
    EventData::binary(EVENT_TYPE, data.into()).id(Uuid::new_v4())
}
