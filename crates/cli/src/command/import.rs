//! `gesta import`: facts from elsewhere.

use clap::{Args, Subcommand};

use super::{import_git, import_ndjson};
use crate::{
    exit::{Exit, Outcome},
    shell::Shell,
    target::Target,
};

/// Arguments of `gesta import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    from: ImportSource,
}

#[derive(Debug, Subcommand)]
enum ImportSource {
    /// Record the history of a git repository: every commit, and what it did to every file
    Git(import_git::ImportGitArgs),
    /// Record events from NDJSON, as `gesta export` writes it
    Ndjson(import_ndjson::ImportNdjsonArgs),
}

/// Imports from the source named.
pub(crate) fn run(args: &ImportArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    match &args.from {
        ImportSource::Git(args) => import_git::run(args, target, shell),
        ImportSource::Ndjson(args) => import_ndjson::run(args, target, shell),
    }
}
