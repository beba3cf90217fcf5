//! Settings from every side.

use super::*;

fn parse(text: &str) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for Said { setting, given, origin } in file::parse(Path::new("gesta.toml"), text).map_err(|why| why.to_string())? {
        let Setting { name, field, .. } = &SETTINGS[setting];
        field.set(&mut settings, &given).map_err(|what| wrong(&origin, name, &what).to_string())?;
    }
    Ok(settings)
}

fn number_of(name: &str) -> usize {
    SETTINGS.iter().position(|setting| setting.name == name).expect("a setting")
}

#[test]
fn a_file_is_read_with_its_types() {
    let text = "listen = \"127.0.0.1:1\"\ninsecure = true\n[log]\nformat = \"json\"\n[limits]\nconnections = 7\n\
                message-bytes = \"2MiB\"\nheader-bytes = 0x2000\ndrain-time = \"1500ms\"\n";
    let settings = parse(text).unwrap();
    assert_eq!(settings.listen.port(), 1);
    assert!(settings.insecure);
    assert_eq!(settings.log_format, LogFormat::Json);
    let Options { connections, message_bytes, header_bytes, drain_time, .. } = settings.server;
    assert_eq!((connections, message_bytes, header_bytes, drain_time.as_millis()), (7, 2 << 20, 8192, 1500));
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line_and_key() {
    let says = |text: &str| parse(text).unwrap_err();
    let cases = [
        ("\nlisten = 7", "setting is wrong: 7 is not text in quotes, source=gesta.toml:2 key=listen"),
        ("lisen = 'x'", "setting is wrong: there is no such setting, source=gesta.toml:1 key=lisen"),
        ("[log]\n\nlevel = 'x'", "setting is wrong: there is no such setting, source=gesta.toml:3 key=log.level"),
        ("[limit]\na = 1", "setting is wrong: there is no such setting, source=gesta.toml:1 key=limit"),
        (
            "limits.connections = 0",
            "setting is wrong: 0 is out of range, which is 1 to 100000, source=gesta.toml:1 key=limits.connections",
        ),
        (
            "limits.connections = -1",
            "setting is wrong: -1 is out of range, which is 1 to 100000, source=gesta.toml:1 key=limits.connections",
        ),
        (
            "limits.connections = '9'",
            "setting is wrong: \"9\" is not a number, source=gesta.toml:1 key=limits.connections",
        ),
        (
            "[limits]\ndrain-time = 10",
            "setting is wrong: 10 is not a length of time in quotes (\"500ms\", \"10s\"), source=gesta.toml:2 key=limits.drain-time",
        ),
        ("insecure = 'yes'", "setting is wrong: \"yes\" is not true or false, source=gesta.toml:1 key=insecure"),
        ("listen = ['a']", "setting is wrong: a list is not text in quotes, source=gesta.toml:1 key=listen"),
        ("listen = {a = 1}", "setting is wrong: a table is not text in quotes, source=gesta.toml:1 key=listen"),
        ("limits = 7", "setting is wrong: there is no such setting, source=gesta.toml:1 key=limits"),
    ];
    for (text, expected) in cases {
        assert_eq!(says(text), expected, "{text}");
    }
    assert!(says("listen = \n").starts_with("file of settings is not TOML: "));
    assert!(says("a = 1\nb =").ends_with("source=gesta.toml:2"));
}

#[test]
fn what_is_shown_can_be_said_again() {
    let default = Settings::default();
    for setting in SETTINGS {
        let shown = setting.field.shown(&default);
        let mut settings = Settings::default();
        setting
            .field
            .set(&mut settings, &Given::Text(shown.clone()))
            .unwrap_or_else(|why| panic!("{}: {why}", setting.name));
        assert_eq!(setting.field.shown(&settings), shown, "{}", setting.name);
    }
}

#[test]
fn no_two_settings_share_a_name_anywhere() {
    for name_of in [|setting: &Setting| setting.name.to_owned(), Setting::flag, Setting::variable] {
        let mut names: Vec<_> = SETTINGS.iter().map(name_of).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SETTINGS.len());
    }
}

#[test]
fn a_secret_is_not_shown() {
    let secret = |get| Setting {
        name: "token",
        help: "",
        secrecy: table::Secrecy::Secret,
        field: field::Field::Text { shape: "", get, set: |_, _| Ok(()) },
    };
    assert_eq!(secret(|_| "hunter2".to_owned()).shown(&Settings::default()), "(hidden)");
    assert_eq!(secret(|_| String::new()).shown(&Settings::default()), "");
}

#[test]
fn a_flag_counts_more_than_a_file_and_both_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.toml");
    fs_write(&file, "listen = \"127.0.0.1:1\"\n[limits]\nconnections = 7\n");
    let args = SettingArgs::of(Some(file.clone()), vec![(number_of("listen"), "127.0.0.1:2".to_owned())]);
    let resolved = resolve(&args, dir.path()).unwrap();
    assert_eq!((resolved.settings.listen.port(), resolved.settings.server.connections), (2, 7));
    let origins: Vec<_> = resolved.rows().map(|(setting, _, origin)| (setting.name, origin.to_string())).collect();
    assert!(origins.contains(&("listen", "--listen".to_owned())));
    assert!(origins.contains(&("limits.connections", format!("{}:3", file.display()))));
    assert!(origins.contains(&("insecure", "default".to_owned())));

    fs_write(&file, "listen = \"nowhere\"\n");
    assert_eq!(resolve(&args, dir.path()).unwrap_err().exit, Exit::Usage);
}

#[test]
fn a_file_in_the_directory_comes_before_one_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let connections = || resolve(&SettingArgs::default(), &store).unwrap().settings.server.connections;
    let default = connections();
    fs_write(&dir.path().join(FILE_NAME), "limits.connections = 2");
    assert_eq!(connections(), 2);
    fs_write(&store.join(FILE_NAME), "limits.connections = 3");
    assert_eq!(connections(), 3);
    assert_ne!(default, 2);
    let missing = SettingArgs::of(Some(dir.path().join("nothing")), Vec::new());
    assert_eq!(resolve(&missing, &store).unwrap_err().exit, Exit::NotFound);
}

fn fs_write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_documentation_lists_what_there_is() {
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md")).unwrap();
    let default = Settings::default();
    let expected: String = SETTINGS
        .iter()
        .map(|setting| {
            let Setting { name, help, field, .. } = setting;
            format!("| `{name}` | `{}` | {} | {help} |\n", setting.shown(&default), field.range())
        })
        .collect();
    let listed = documented.split_once("<!-- settings -->\n").and_then(|(_, rest)| rest.split_once("<!-- end -->"));
    let listed =
        listed.map(|(list, _)| list.trim_start().lines().skip(2).map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(listed.as_deref(), Some(expected.as_str()), "docs/operations.md should have these lines:\n{expected}");
}
