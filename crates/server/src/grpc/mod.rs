//! The services of the protocol. Each converts, asks the store, converts back.

mod append;
mod batch_append;
mod delete;
mod features;
pub(crate) mod gossip;
mod monitoring;
mod operations;
mod persistent;
mod projections;
mod read;
mod records;
mod streams;
mod subscribe;
mod unoffered;
mod users;

pub use features::Features;
pub use gossip::{Member, Whereabouts};
pub use monitoring::MonitoringService;
pub use operations::{OperationsService, ShutdownRequest};
pub use persistent::PersistentSubscriptionsService;
pub use projections::ProjectionsService;
pub use records::RecordsService;
pub use streams::StreamsService;
pub use unoffered::Unoffered;
pub use users::UsersService;
