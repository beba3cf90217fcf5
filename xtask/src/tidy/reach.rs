//! No dead files: every `.rs` file is a root of a target, or some file declares it with `mod`.

use std::collections::BTreeSet;

use syn::{Item, ItemMod, Lit, Meta};

use super::{Finding, Source, Tree};

/// Files nothing leads to.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let declared: BTreeSet<String> = tree.sources.iter().flat_map(declarations).collect();
    let dead = tree.sources.iter().filter(|source| !is_root(&source.path) && !declared.contains(&source.path));
    dead.map(|source| Finding::new(&source.path, 0, "is dead: no file declares it with mod")).collect()
}

/// Whether cargo builds the file as the root of a target.
fn is_root(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let (file, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    const TARGETS: [&str; 5] = ["tests", "benches", "examples", "bin", "fuzz_targets"];
    let single = TARGETS.contains(&folder);
    // A target of several files: `tests/program/main.rs`.
    let several = file == "main.rs" && parts.next().is_some_and(|above| TARGETS.contains(&above));
    // A `tests` folder below `src` holds modules, not targets.
    (single && (folder == "bin" || !path.contains("/src/")))
        || (several && !path.contains("/src/"))
        || (folder == "src" && (file == "lib.rs" || file == "main.rs"))
        || file == "build.rs"
}

/// The files the `mod` items of a file may stand for.
fn declarations(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let stem = file.trim_end_matches(".rs");
    let inside = if is_root(&source.path) || stem == "mod" { folder.to_owned() } else { join(folder, stem) };
    modules(&source.syntax.items, folder, &inside)
}

fn modules(items: &[Item], folder: &str, inside: &str) -> Vec<String> {
    let declared = items.iter().filter_map(|item| match item {
        Item::Mod(module) => Some(module),
        _ => None,
    });
    declared.flat_map(|module| files_of(module, folder, inside)).collect()
}

fn files_of(module: &ItemMod, folder: &str, inside: &str) -> Vec<String> {
    let name = module.ident.to_string();
    if let Some((_, items)) = &module.content {
        return modules(items, folder, &join(inside, &name));
    }
    match path_attribute(module) {
        Some(path) => vec![normal(&join(folder, &path))],
        None => vec![join(inside, &format!("{name}.rs")), join(inside, &format!("{name}/mod.rs"))],
    }
}

fn path_attribute(module: &ItemMod) -> Option<String> {
    module.attrs.iter().filter(|attribute| attribute.path().is_ident("path")).find_map(|attribute| {
        match &attribute.meta {
            Meta::NameValue(pair) => match &pair.value {
                syn::Expr::Lit(syn::ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
                _ => None,
            },
            _ => None,
        }
    })
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A path without `.` and `..`.
pub(super) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_nobody_declares_is_found() {
        let tree = Tree::of(&[
            ("x/src/lib.rs", "mod log;\nmod flat;\n#[path = \"../shared.rs\"]\nmod shared;"),
            ("x/src/log/mod.rs", "mod frame;"),
            ("x/src/log/frame.rs", "#[cfg(test)]\nmod tests;"),
            ("x/src/log/frame/tests.rs", ""),
            ("x/src/log/forgotten.rs", ""),
            ("x/src/flat.rs", "mod inner { mod deep; }"),
            ("x/src/flat/inner/deep.rs", ""),
            ("x/shared.rs", ""),
            ("x/src/frame.rs", ""),
            ("x/src/main.rs", ""),
            ("x/src/bin/tool.rs", ""),
            ("x/tests/api.rs", "mod model;"),
            ("x/tests/model/mod.rs", ""),
            ("x/tests/program/main.rs", "mod place;"),
            ("x/tests/program/place.rs", ""),
        ]);
        let dead: Vec<String> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(dead, ["x/src/log/forgotten.rs", "x/src/frame.rs"]);
    }
}
