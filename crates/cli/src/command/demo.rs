//! `gesta demo`: the history of a git repository as facts, from import to proof, in half a minute of reading.
//!
//! Each step is what a user would do next, shown as the command that does it. The last step folds the recorded events and compares the
//! result with `git ls-tree`, which this project did not write.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use clap::Args;
use gesta::{EventStore, Query, QueryItem, ReadOptions, Source, TypeFilter};

use super::{import_git, verify};
use crate::{
    exit::{Exit, Failure, Outcome, quoted},
    git::{self, ImportOptions, Imported, Repository, Tree, tree_of_git},
    interrupt::Interrupt,
    shell::{BAD, BOLD, DIM, GOOD, Shell, counted},
    target::Target,
    time,
};

mod reads;
mod refusal;
mod summary;

use summary::Summary;

/// Arguments of `gesta demo`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta demo                                the repository you are in, into a temporary store
  gesta demo --repo ~/src/linux --dir ./linux-facts
The store is kept, so that the commands printed at the end work.")]
pub(crate) struct DemoArgs {
    /// The repository [default: the one around the current directory, else the one gesta was built from]
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
}

/// What the steps work on.
struct Demo<'a> {
    store: EventStore,
    target: Target,
    repository: Repository,
    imported: Imported,
    shell: &'a mut Shell,
}

/// Runs the steps.
pub(crate) fn run(args: &DemoArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let repository = repository(args.repo.as_deref())?;
    repository.commit("HEAD")?;
    let (target, temporary) = fresh(target)?;
    let name = repository.name.clone();
    shell.line(format_args!("{BOLD}gesta demo{BOLD:#}  the history of {name} as facts"))?;
    heading(shell, "1  import: every commit, and what it did to every file")?;
    let options = ImportOptions { revision: "HEAD".to_owned(), name, under: None };
    let destination = target.destination()?;
    let imported = git::import(&destination, &repository, &options, &Interrupt::listen()?, shell)?;
    drop(destination);
    let store = target.open()?;
    for part in import_git::in_words(&imported).split("; ") {
        shell.line(format_args!("   {part}"))?;
    }
    if repository.shallow {
        shell.line("   the clone is shallow: its first commit stands for all that was before it")?;
    }
    let mut demo = Demo { store, target, repository, imported, shell };
    let summary = demo.summarize()?;
    demo.read_three_ways(&summary)?;
    demo.refuse(&summary)?;
    demo.verify()?;
    demo.compare_with_git()?;
    demo.say_what_next(&summary, temporary)?;
    Ok(Exit::Ok)
}

/// The repository to show: the one named, the one around the current directory, or the one this program was built from.
fn repository(named: Option<&Path>) -> Outcome<Repository> {
    if let Some(path) = named {
        return Ok(Repository::at(path)?);
    }
    let here = Repository::at(Path::new("."));
    let (Err(git::GitError::NotARepository { .. }), Ok(source)) =
        (&here, Repository::at(Path::new(env!("CARGO_MANIFEST_DIR"))))
    else {
        return here.map_err(|error| {
            Failure::from(error)
                .with_remedy("run the demo inside a clone of any git repository, or name one with --repo PATH")
        });
    };
    Ok(source)
}

/// A directory without a store: the one given, or a temporary one (`true`).
fn fresh(target: &Target) -> Outcome<(Target, bool)> {
    if let Some(dir) = target.given() {
        let failed = |error| Failure::io(format_args!("looking into {}", dir.display()), &error);
        if dir.exists() && fs::read_dir(dir).map_err(failed)?.next().is_some() {
            return Err(Failure::usage(format!("the demo needs an empty directory, dir={}", dir.display()))
                .with_remedy("give a new one with --dir, or none for a temporary one (and no GESTA_DIR)"));
        }
        let dir = std::path::absolute(dir).map_err(failed)?;
        return Ok((Target::new(Some(dir), None, None), false));
    }
    let process = std::process::id();
    for attempt in 0..1000_u32 {
        let dir = env::temp_dir().join(format!("gesta-demo-{process}-{attempt}"));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok((Target::new(Some(dir), None, None), true)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::io(format_args!("making {}", dir.display()), &error)),
        }
    }
    Err(Failure::new(Exit::Other, "no free name for a temporary directory").with_remedy("give a directory with --dir"))
}

fn heading(shell: &mut Shell, words: &str) -> Outcome<()> {
    shell.line(format_args!("\n{BOLD}{words}{BOLD:#}"))?;
    shell.flush()
}

impl Demo<'_> {
    /// Shows a command as it would be typed.
    fn command(&mut self, arguments: &str) -> Outcome<()> {
        // Without --dir, which would fill the line every time; it is spelt out once, at the end.
        self.shell.line(format_args!("   {DIM}${DIM:#} {BOLD}gesta {arguments}{BOLD:#}"))
    }

    fn verify(&mut self) -> Outcome<()> {
        heading(self.shell, "5  verify: every byte of the log, and the index against it")?;
        self.command("verify")?;
        let report = verify::check(&self.store, self.shell)?;
        verify::print(&report, "   ", self.shell)?;
        if report.problems.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Exit::Integrity, format!("the store is damaged, problems={}", report.problems.len())))
    }

    fn compare_with_git(&mut self) -> Outcome<()> {
        heading(self.shell, "6  proof: the events, folded, against git's own tree")?;
        let tree = fold_files(&self.store, ReadOptions::default())?;
        let git = tree_of_git(&self.repository, &self.imported.commit)?;
        let commit = format!("{:.12}", self.imported.commit);
        self.shell.line(format_args!("   fold of the file events    {}", counted(tree.len() as u64, "file")))?;
        self.shell.line(format_args!(
            "   git ls-tree -r {commit}  {} (mode and blob of each)",
            counted(git.len() as u64, "file")
        ))?;
        if tree == git {
            return self.shell.line(format_args!("   {GOOD}MATCH{GOOD:#}"));
        }
        self.shell.line(format_args!("   {BAD}DIFFERENT{BAD:#}"))?;
        for difference in tree.differences(&git, 10) {
            self.shell.line(format_args!("   {difference}"))?;
        }
        Err(Failure::new(Exit::Integrity, "the folded events are not the tree git has")
            .with_remedy("please report this"))
    }

    fn say_what_next(&mut self, summary: &Summary, temporary: bool) -> Outcome<()> {
        heading(self.shell, "Try next")?;
        let dir = quoted(&self.target.dir().to_string_lossy());
        let commit = &self.imported.commit;
        let stream = quoted(&self.imported.stream);
        if let Some(program) = off_the_path() {
            self.shell.line(format_args!("   alias gesta={}", quoted(&quoted(&program.to_string_lossy()))))?;
        }
        self.shell.line(format_args!("   export GESTA_DIR={dir}"))?;
        for command in [
            format!("gesta read {stream} -rn 10"),
            format!("gesta read {} --at '{}'", quoted(&summary.busiest_file), time::civil(summary.seen)),
            format!("gesta read '$bc-{commit}'"),
            format!("gesta read --path {} --type FileAdded -o ndjson", quoted(&summary.pattern)),
            format!("gesta explain --path {} --type FileAdded", quoted(&summary.pattern)),
            "gesta append note-1 NoteTaken '{\"text\":\"hello\"}' --expect none".to_owned(),
            "gesta follow --from start".to_owned(),
        ] {
            self.shell.line(format_args!("   {command}"))?;
        }
        if temporary {
            self.shell.line(format_args!(
                "   {DIM}the store is kept in {dir}; delete the directory when you are done{DIM:#}"
            ))?;
        }
        Ok(())
    }
}

/// This program, if `gesta` is not what leads to one: whoever runs the demo with cargo has not installed it.
fn off_the_path() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&path).any(|dir| dir.join("gesta").is_file());
    if installed { None } else { env::current_exe().ok() }
}

/// The files as the recorded events say, read as `options` ask.
fn fold_files(store: &EventStore, options: ReadOptions) -> Outcome<Tree> {
    let types = git::FILE_TYPES.map(|name| gesta::EventType::new(name).map(TypeFilter::Exact));
    let item = QueryItem { types: types.into_iter().collect::<Result<_, _>>()?, ..QueryItem::default() };
    let mut read = store.read(Source::Query(Query::of(item)), options)?;
    let mut tree = Tree::default();
    while let Some(batch) = read.next_batch()? {
        for event in batch.iter() {
            tree.apply(event.event_type, event.data).map_err(|what| {
                Failure::new(Exit::Integrity, format!("{what}, event={}@{}", event.stream, event.revision))
            })?;
        }
    }
    Ok(tree)
}
