//! I8: a file of the store, or of the models, imports only from lower layers; the commit rules only from the vocabulary.
//!
//! Looks at every `crate::…`, `super::…` and `self::…` path, in `use` items, in code and inside macros. Tests may reach up.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::{ItemMod, ItemUse, UseTree, spanned::Spanned, visit::Visit};

use super::{Finding, Source, Tree, source::is_cfg_test};

/// A row of the table.
struct Layer {
    name: &'static str,
    /// Modules, as paths below `src/`; the longest that fits a file decides.
    modules: &'static [&'static str],
    /// Whether its modules may import one another.
    open: bool,
}

/// The layers of the store from the bottom to the top: the one place that says where a file belongs.
const LAYERS: &[Layer] = &[
    Layer {
        name: "vocabulary",
        // `append` names what comes back, so the words of a verdict are vocabulary too.
        modules: &[
            "position",
            "limits",
            "error",
            "name",
            "path",
            "event",
            "correlation",
            "query",
            "leaf",
            "append",
            "measures",
            "commit/proposal",
        ],
        open: true,
    },
    Layer { name: "doors", modules: &["disk", "clock", "entropy"], open: false },
    // Options hold the doors a store is opened with; its identity is made from them.
    Layer { name: "settings", modules: &["options", "identity"], open: true },
    Layer { name: "log", modules: &["log"], open: false },
    Layer { name: "index", modules: &["index"], open: false },
    Layer { name: "commit", modules: &["commit"], open: false },
    Layer { name: "read", modules: &["read"], open: false },
    Layer { name: "order", modules: &["order"], open: false },
    Layer { name: "services", modules: &["subscribe", "backup", "maintenance", "integrity", "opening"], open: false },
    Layer { name: "store", modules: &["store"], open: false },
];

/// The layers of the models. The store, which all of them stand on, is another crate.
const MODEL_LAYERS: &[Layer] = &[
    Layer {
        name: "vocabulary",
        modules: &["algebra", "key", "demotion", "digest", "error", "middleware", "options", "parked"],
        open: true,
    },
    Layer { name: "event", modules: &["event"], open: false },
    Layer { name: "model", modules: &["model"], open: false },
    Layer { name: "scope", modules: &["scope"], open: false },
    Layer { name: "fold", modules: &["fold"], open: false },
    Layer { name: "laws", modules: &["laws"], open: false },
    Layer { name: "tree", modules: &["tree"], open: false },
    Layer { name: "state", modules: &["state"], open: false },
    Layer { name: "command", modules: &["command"], open: false },
    Layer { name: "process", modules: &["process"], open: false },
    Layer { name: "domain", modules: &["domain", "testing"], open: true },
];

/// Modules that may import nothing but the lowest layer.
const PURE: &[&str] = &["commit"];

const STORE: &str = "crates/store/src/";

/// The crates that have layers, by where their modules are.
const CRATES: &[(&str, &[Layer])] = &[(STORE, LAYERS), ("crates/model/src/", MODEL_LAYERS)];

/// Every import that goes up or sideways, and every file the table does not know.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    CRATES.iter().flat_map(|(root, layers)| check_crate(tree, root, layers)).collect()
}

fn check_crate(tree: &Tree, root: &str, layers: &'static [Layer]) -> Vec<Finding> {
    let files =
        || tree.sources.iter().filter(|source| source.path.starts_with(root) && source.path != format!("{root}lib.rs"));
    let exports = files().map(|source| (module_of(&source.path, root), reexports(source, root))).collect();
    files().flat_map(|source| check_file(source, root, layers, &exports)).collect()
}

/// Where the names a module re-exports from its children come from.
type Exports = BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>;

fn check_file(source: &Source, root: &str, layers: &'static [Layer], exports: &Exports) -> Vec<Finding> {
    let module = module_of(&source.path, root);
    let Some(home) = place_of(&module, layers) else {
        return vec![Finding::new(&source.path, 0, "has no layer, add it to the table in xtask/src/tidy/layers.rs")];
    };
    let mut imports = Imports { module: module.clone(), found: Vec::new() };
    if !source.is_test() {
        imports.visit_file(&source.syntax);
    }
    let breach = |(line, path): (usize, Vec<String>)| {
        let target = place_of(&resolve(&path, exports), layers)?;
        let what = home.forbids(&target)?;
        Some(Finding::new(&source.path, line, format!("{what}, import={}", path.join("::"))))
    };
    imports.found.into_iter().filter_map(breach).collect()
}

/// The path of a file's module below the crate.
fn module_of(path: &str, root: &str) -> Vec<String> {
    let path = path.strip_prefix(root).unwrap_or(path);
    let path = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs")).unwrap_or(path);
    path.split('/').map(str::to_owned).collect()
}

/// A module's place in the table.
struct Place {
    layers: &'static [Layer],
    layer: usize,
    module: &'static str,
}

fn place_of(path: &[String], layers: &'static [Layer]) -> Option<Place> {
    let path = path.join("/");
    let fits = |module: &str| path == module || path.strip_prefix(module).is_some_and(|rest| rest.starts_with('/'));
    let rows = layers.iter().enumerate();
    rows.flat_map(|(layer, row)| row.modules.iter().map(move |&module| Place { layers, layer, module }))
        .filter(|place| fits(place.module))
        .max_by_key(|place| place.module.len())
}

impl Place {
    /// Why this place may not import from `target`, if it may not.
    fn forbids(&self, target: &Self) -> Option<String> {
        let [here, there] = [&self.layers[self.layer], &self.layers[target.layer]];
        if self.module == target.module || (self.layer == target.layer && here.open) {
            return None;
        }
        // A module may name its own parts even where one of them is a lower layer, and the other way round `mod` is not an import.
        if PURE.contains(&self.module) && target.layer > 0 {
            return Some(format!("{} may import only the vocabulary", self.module));
        }
        (target.layer >= self.layer).then(|| format!("layer {} may not import from layer {}", here.name, there.name))
    }
}

/// Follows one re-export: `commit::Rejection` is really in `commit/proposal`.
fn resolve(path: &[String], exports: &Exports) -> Vec<String> {
    for depth in (1..path.len()).rev() {
        if let Some(target) = exports.get(&path[..depth]).and_then(|names| names.get(&path[depth])) {
            return target.clone();
        }
    }
    path.to_vec()
}

/// The `pub use child::{…}` of a module.
fn reexports(source: &Source, root: &str) -> BTreeMap<String, Vec<String>> {
    let module = module_of(&source.path, root);
    let children: Vec<String> = source.syntax.items.iter().filter_map(child_module).collect();
    let mut names = BTreeMap::new();
    for item in &source.syntax.items {
        let syn::Item::Use(item) = item else { continue };
        for path in flatten(&item.tree) {
            if let [child, name] = &path[..]
                && children.contains(child)
            {
                let target = module.iter().chain([child]).cloned().collect();
                names.insert(name.clone(), target);
            }
        }
    }
    names
}

fn child_module(item: &syn::Item) -> Option<String> {
    match item {
        syn::Item::Mod(child) if child.content.is_none() => Some(child.ident.to_string()),
        _ => None,
    }
}

/// The paths a `use` names.
pub(super) fn flatten(tree: &UseTree) -> Vec<Vec<String>> {
    let under = |first: String, rest: Vec<Vec<String>>| {
        rest.into_iter().map(|path| [vec![first.clone()], path].concat()).collect::<Vec<_>>()
    };
    match tree {
        UseTree::Path(path) => under(path.ident.to_string(), flatten(&path.tree)),
        UseTree::Name(name) => vec![vec![name.ident.to_string()]],
        UseTree::Rename(rename) => vec![vec![rename.ident.to_string()]],
        UseTree::Glob(_) => vec![Vec::new()],
        UseTree::Group(group) => group.items.iter().flat_map(flatten).collect(),
    }
}

/// Collects the paths of a file that lead into the crate.
struct Imports {
    module: Vec<String>,
    found: Vec<(usize, Vec<String>)>,
}

impl Imports {
    /// Notes a path if it leads into the crate, made absolute.
    fn note(&mut self, line: usize, path: Vec<String>) {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let absolute = match path.first().map(String::as_str) {
            Some("crate") => path[1..].to_vec(),
            Some("self") => [self.module.clone(), path[1..].to_vec()].concat(),
            Some("super") => [&self.module[..self.module.len().saturating_sub(ups)], &path[ups..]].concat(),
            _ => return,
        };
        if !absolute.is_empty() {
            self.found.push((line, absolute));
        }
    }

    /// Looks for `crate::a::b` in the tokens of a macro, which have no syntax yet.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {}
                TokenTree::Ident(ident) if path.is_empty() || ident != "crate" => {
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                }
                TokenTree::Group(group) => {
                    self.note(line, std::mem::take(&mut path));
                    self.note_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Ident(_) | TokenTree::Literal(_) => {
                    self.note(line, std::mem::take(&mut path));
                }
            }
        }
        self.note(line, path);
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_cfg_test(&item.attrs) {
            return;
        }
        // Inside an inline module `super` is this file.
        self.module.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_cfg_test(&item.attrs) {
            for path in flatten(&item.tree) {
                self.note(item.span().start().line, path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(path.span().start().line, parts);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.note_tokens(item.tokens.clone());
        syn::visit::visit_macro(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<(String, &str)> = files.iter().map(|(path, text)| (format!("{STORE}{path}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        check(&Tree::of(&files)).iter().map(|finding| finding.to_string().replace(STORE, "")).collect()
    }

    #[test]
    fn downward_and_inner_imports_are_fine() {
        let clean = [
            ("store.rs", "use crate::{order::Ticket, read::{Read, tail}, subscribe};\nuse std::fs;"),
            ("log/writer.rs", "use super::frame::Frame;\nuse crate::disk::Disk;\nfn f() { crate::log::open() }"),
            ("name.rs", "use crate::{error::Error, path::Path};"),
        ];
        assert_eq!(findings(&clean), [""; 0]);
    }

    #[test]
    fn an_upward_import_is_found_in_every_spelling() {
        for (text, import) in [
            ("use crate::index::Run;", "index::Run"),
            ("use crate::{disk::Disk, index::{self, Run}};", "index::self"),
            ("use crate::index::*;", "index"),
            ("fn f() { crate::index::open() }", "index::open"),
            ("fn f(run: &super::super::index::Run) {}", "index::Run"),
            ("fn f() { assert!(1 == crate::index::COUNT); }", "index::COUNT"),
            ("mod inner { use super::super::super::index::Run; }", "index::Run"),
        ] {
            let found = findings(&[("log/writer.rs", text)]);
            let expected = format!("log/writer.rs:1: layer log may not import from layer index, import={import}");
            assert!(found.contains(&expected), "{text}: {found:?}");
        }
        // Two levels above an inline module of `log/writer` is `log`, whose `index` would be its own.
        assert_eq!(findings(&[("log/writer.rs", "mod inner { use super::super::index::Run; }")]), [""; 0]);
    }

    #[test]
    fn layers_do_not_import_sideways() {
        let found = findings(&[("subscribe/mod.rs", "use crate::maintenance::Chore;")]);
        assert_eq!(
            found,
            ["subscribe/mod.rs:1: layer services may not import from layer services, import=maintenance::Chore"]
        );
    }

    #[test]
    fn the_commit_rules_import_only_the_vocabulary() {
        assert_eq!(
            findings(&[("commit/decide.rs", "use super::proposal::Verdict;\nuse crate::query::Query;")]),
            [""; 0]
        );
        let found = findings(&[("commit/decide.rs", "use crate::clock::Clock;")]);
        assert_eq!(found, ["commit/decide.rs:1: commit may import only the vocabulary, import=clock::Clock"]);
        let found = findings(&[("commit/decide.rs", "use crate::index::Open;")]);
        assert_eq!(found, ["commit/decide.rs:1: commit may import only the vocabulary, import=index::Open"]);
    }

    #[test]
    fn a_name_counts_where_it_is_defined_not_where_it_is_exported() {
        let commit = ("commit/mod.rs", "mod proposal;\nmod rules;\npub use proposal::Commit;\npub use rules::decide;");
        assert_eq!(findings(&[commit, ("log/frame.rs", "use crate::commit::Commit;")]), [""; 0]);
        let found = findings(&[commit, ("log/frame.rs", "use crate::commit::{Commit, decide};")]);
        assert_eq!(found, ["log/frame.rs:1: layer log may not import from layer commit, import=commit::decide"]);
    }

    #[test]
    fn tests_may_reach_up() {
        let text = "#[cfg(test)]\nmod tests { use crate::store::EventStore; }";
        assert_eq!(findings(&[("log/writer.rs", text)]), [""; 0]);
        assert_eq!(findings(&[("log/tests.rs", "use crate::store::EventStore;")]), [""; 0]);
    }

    #[test]
    fn models_have_layers_of_their_own() {
        let found = check(&Tree::of(&[
            ("crates/model/src/fold.rs", "use crate::{model::Model, state::State};"),
            ("crates/model/src/domain.rs", "use crate::state::State;"),
            ("crates/model/src/log.rs", ""),
        ]));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let breach = "crates/model/src/fold.rs:1: layer fold may not import from layer state, import=state::State";
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.contains(&breach.to_owned()), "{found:?}");
    }

    #[test]
    fn a_file_without_a_layer_is_found() {
        let found = findings(&[("cache.rs", "")]);
        assert_eq!(found, ["cache.rs: has no layer, add it to the table in xtask/src/tidy/layers.rs"]);
    }
}
