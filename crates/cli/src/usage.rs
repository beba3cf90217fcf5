//! The end of a run that has no command: help, a version, or what is wrong with the arguments.
//!
//! An argument is shown as it was given only as far as it is short and harmless: a name of many kilobytes would bury the message, and
//! control characters would speak to the terminal.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::error::{ContextKind, ContextValue, Error};

use crate::{
    exit::{Exit, Failure},
    shell::{Color, Shell, printable},
    table::cut,
};

/// Columns shown of an argument.
const SHOWN_MAX: usize = 80;

/// Prints what clap has to say.
pub(crate) fn print(mut error: Error) -> ExitCode {
    tame(&mut error);
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        // Nobody can be told that standard error does not work.
        Err(failed) if !error.use_stderr() => {
            let failure = Failure::output(&failed);
            Shell::new(None, Color::Auto, false).report(&failure);
            failure.exit.into()
        }
        Ok(()) | Err(_) => if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into(),
    }
}

/// Shortens and escapes what came from the command line.
fn tame(error: &mut Error) {
    let mut tamed = false;
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        let Some(ContextValue::String(given)) = error.get(kind) else { continue };
        let shown = cut(&printable(given), SHOWN_MAX);
        if shown != *given {
            tamed = true;
            error.insert(kind, ContextValue::String(shown));
        }
    }
    if tamed {
        // The advice repeats the argument.
        error.remove(ContextKind::Suggested);
    }
}
