//! `gesta completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell as ShellKind;

use crate::{
    args::Cli,
    exit::{Exit, Outcome},
    shell::Shell,
};

/// Arguments of `gesta completions`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  gesta completions bash > /etc/bash_completion.d/gesta\n  \
    gesta completions zsh > ~/.zfunc/_gesta\n  gesta completions fish > ~/.config/fish/completions/gesta.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: ShellKind,
}

/// Prints the completions.
pub(crate) fn run(args: &CompletionsArgs, shell: &mut Shell) -> Outcome<Exit> {
    // Into memory first: the generator panics when its output goes away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gesta", &mut script);
    std::io::Write::write_all(shell.out(), &script)?;
    Ok(Exit::Ok)
}
