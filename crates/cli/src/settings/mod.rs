//! How `gesta serve` is set: by flags, by the environment, by a file, all three from one [`table`].
//!
//! A flag counts more than the environment, that more than the file, and all of them more than the default. What is wrong anywhere is an error that
//! names where it stands, the key, and what could be written instead; also when something that counts more would have hidden it.

mod args;
mod field;
mod file;
mod file_path;
pub(crate) mod table;

use std::{
    env, fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use gesta_server::{
    Options,
    logging::{LogFilter, LogFormat},
};

use crate::exit::{Exit, Failure, Outcome};

pub(crate) use args::SettingArgs;
use field::Given;
pub(crate) use file_path::FilePath;
use table::{SETTINGS, Setting};

/// What every variable of ours begins with.
const ENV_PREFIX: &str = "GESTA_";
/// The variable that names the file.
pub(crate) const ENV_CONFIG: &str = "GESTA_CONFIG";
/// The file that is read if it is there, in the store's directory or beside it.
pub(crate) const FILE_NAME: &str = "gesta.toml";

/// What a server is set to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) insecure: bool,
    pub(crate) auth: bool,
    pub(crate) admin_password_file: FilePath,
    pub(crate) tls_cert: FilePath,
    pub(crate) tls_key: FilePath,
    pub(crate) log_format: LogFormat,
    pub(crate) log_filter: LogFilter,
    /// The collector of traces; none, if empty.
    pub(crate) collector: String,
    pub(crate) server: Options,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 2113)),
            insecure: false,
            auth: false,
            admin_password_file: FilePath::default(),
            tls_cert: FilePath::default(),
            tls_key: FilePath::default(),
            log_format: LogFormat::default(),
            log_filter: LogFilter::default(),
            collector: String::new(),
            server: Options::default(),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of a file.
    File(PathBuf, usize),
    /// A variable of the environment.
    Env(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Values, and where each comes from.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) settings: Settings,
    origins: Vec<Origin>,
    /// Variables that look like settings and are none. Not an error: a cluster may put the addresses of services named `gesta` there.
    pub(crate) unknown_variables: Vec<String>,
}

impl Resolved {
    /// Every setting with its value, which of a secret is only that it is there, and where that comes from.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static Setting, String, &Origin)> {
        SETTINGS.iter().zip(&self.origins).map(|(setting, origin)| (setting, setting.shown(&self.settings), origin))
    }
}

/// One value that somebody gave for a setting.
pub(crate) struct Said {
    setting: usize,
    given: Given,
    origin: Origin,
}

/// Works out what a server on the store in `dir` is set to.
pub(crate) fn resolve(args: &SettingArgs, dir: &Path) -> Outcome<Resolved> {
    let named = args.config.clone().or_else(|| env::var_os(ENV_CONFIG).filter(|file| !file.is_empty()).map(Into::into));
    let from_file = match named {
        Some(path) => file::read(&path)?,
        None => found(dir)?,
    };
    let variables = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let mut from_env = Vec::new();
    let mut unknown_variables = Vec::new();
    for (name, value) in variables.filter(|(name, _)| name.starts_with(ENV_PREFIX)) {
        match SETTINGS.iter().position(|setting| setting.variable() == name) {
            Some(setting) => {
                let origin = Origin::Env(name);
                let value =
                    value.into_string().map_err(|_| wrong(&origin, SETTINGS[setting].name, "it is not UTF-8"))?;
                from_env.push(Said { setting, given: Given::Text(value), origin });
            }
            None if table::OTHER_VARIABLES.contains(&name.as_str()) => {}
            None => unknown_variables.push(name),
        }
    }
    unknown_variables.sort();
    let mut resolved =
        Resolved { settings: Settings::default(), origins: vec![Origin::Default; SETTINGS.len()], unknown_variables };
    for Said { setting, given, origin } in from_file.into_iter().chain(from_env).chain(args.said()) {
        let Setting { name, field, .. } = &SETTINGS[setting];
        field.set(&mut resolved.settings, &given).map_err(|what| wrong(&origin, name, &what))?;
        resolved.origins[setting] = origin;
    }
    Ok(resolved)
}

/// The file in the store's directory or beside it, if there is one.
fn found(dir: &Path) -> Outcome<Vec<Said>> {
    let beside = dir.parent().map(|parent| parent.join(FILE_NAME));
    for path in [Some(dir.join(FILE_NAME)), beside].into_iter().flatten() {
        match std::fs::metadata(&path) {
            Ok(_) => return file::read(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // What stands at the place of the directory is said when the store is opened.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
            Err(error) => {
                return Err(unread("looking for settings", &path, &error));
            }
        }
    }
    Ok(Vec::new())
}

/// A file that may have settings, and cannot be looked into: nobody knows what a server without it would be.
fn unread(doing: &str, path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::io(format_args!("{doing}, file={}", path.display()), error);
    match failure.remedy() {
        Some(_) => failure,
        None => failure.with_remedy(
            "settings are read from a file this user may read, in directories he may search: --config names another one",
        ),
    }
}

/// A value, a key or a line that is not right.
fn wrong(origin: &Origin, key: &str, what: &str) -> Failure {
    Failure::new(Exit::Usage, format!("setting is wrong: {what}, source={origin} key={key}"))
        .with_remedy("`gesta config` shows every setting, its value and where that comes from")
}

#[cfg(test)]
mod tests;
