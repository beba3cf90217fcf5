//! Why somebody was not let do something.

use gesta_store::Error;
use tonic::Status;

use crate::{fault::Fault, rich::RichFault};

/// Why somebody was not let do something.
#[derive(Debug)]
pub enum Refusal {
    /// The rules say so.
    Denied {
        /// The word for what it was.
        action: &'static str,
        /// Who wanted it; `None` for somebody who did not say.
        login: Option<String>,
    },
    /// The list that decides could not be read.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied { .. } => Self::AccessDenied,
            Refusal::Failed(error) => Self::Store(error),
        }
    }
}

impl From<Refusal> for RichFault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied { action, login } => Self::AccessDenied { action, login },
            Refusal::Failed(error) => Self::Store(error),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Fault::from(refusal).into()
    }
}
