//! Middleware at work: from the outside in before a command, from the inside out after it.

use std::sync::Arc;

use super::prepare::Circumstances;
use crate::{
    error::{Error, Result, guarded},
    middleware::{Envelope, Failure, Middleware, Receipt},
};

fn envelope(name: &'static str, circumstances: &Circumstances) -> Envelope {
    Envelope::new(name, circumstances.request.clone(), circumstances.metadata.clone())
}

/// Asks each middleware; `entered` is how many have heard of the command, and so hear how it ends.
pub(super) fn enter(
    all: &[Arc<dyn Middleware>],
    name: &'static str,
    circumstances: &mut Circumstances,
    entered: &mut usize,
) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let mut envelope = envelope(name, circumstances);
    for middleware in all {
        *entered += 1;
        let asked = guarded(|| format!("middleware before {name}"), || middleware.before(&mut envelope))?;
        asked.map_err(|halt| Error::Halted { command: name, reason: halt.0 })?;
    }
    circumstances.metadata = envelope.metadata;
    Ok(())
}

/// Tells those that were asked how it ended.
pub(super) fn leave(
    entered: &[Arc<dyn Middleware>],
    name: &'static str,
    circumstances: &Circumstances,
    outcome: Result<&Receipt, Failure<'_>>,
) {
    if entered.is_empty() {
        return;
    }
    let envelope = envelope(name, circumstances);
    for middleware in entered.iter().rev() {
        let told = guarded(String::new, || match &outcome {
            Ok(receipt) => middleware.after(&envelope, receipt),
            Err(failure) => middleware.failed(&envelope, failure),
        });
        // The command has come to what it has come to, whatever is made of that.
        drop(told);
    }
}
