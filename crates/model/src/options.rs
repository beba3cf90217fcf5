//! How a domain is opened.

use std::{sync::Arc, time::Duration};

use gesta_store::{
    clock::{Clock, SystemClock},
    entropy::Entropy,
};

use crate::middleware::Middleware;

/// How a [`Domain`](crate::Domain) is opened.
#[derive(Clone, Debug)]
pub struct DomainOptions {
    /// Most bytes of states kept, keys and overhead included. Default: 64 MiB.
    pub cache_bytes: u64,
    /// How long a state that nobody asks for is kept. Default: 10 minutes.
    pub cache_idle: Duration,
    /// How often a decision is made anew when it was overtaken. Default: 10.
    pub attempts: u32,
    /// What ages are measured with.
    pub clock: Arc<dyn Clock>,
    /// Where event ids and correlation ids come from.
    pub entropy: Arc<Entropy>,
    /// What is done around every command, from the outside in. Default: nothing.
    pub middleware: Vec<Arc<dyn Middleware>>,
}

impl Default for DomainOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            cache_idle: Duration::from_secs(600),
            attempts: 10,
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(Entropy::from_os()),
            middleware: Vec::new(),
        }
    }
}
