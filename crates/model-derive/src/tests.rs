//! What is wrong with a derive is said when it is compiled, in words one can act on.

use syn::{DeriveInput, parse_quote};

fn event(input: DeriveInput) -> String {
    told(crate::event::derive(&input))
}

fn command(input: DeriveInput) -> String {
    told(crate::command::derive(&input))
}

fn told(derived: syn::Result<proc_macro2::TokenStream>) -> String {
    derived.map_or_else(|error| error.to_string(), |_| "compiles".to_owned())
}

#[test]
fn events_of_every_shape_compile() {
    let shapes = parse_quote! {
        #[event(ignores("old"))]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        enum Bank<T> where T: Clone {
            #[event("opened", at = "account-{account}", also = "/owners/{owner?}", also = "/accounts/{account}")]
            #[serde(rename = "x")]
            Opened { account: u32, owner: Option<String>, more: T },
            #[event("moved", at = "account-{from}", v = 3, since = 2, upcast(2 = path::to_3))]
            Moved(Moved),
            #[event("closed", at = "calendar")]
            Closed,
            #[event("noted", at = "account-{account}-{r#type}")]
            Noted { account: u32, r#type: String },
        }
    };
    assert_eq!(event(shapes), "compiles");
}

#[test]
fn events_that_could_not_be_told_apart_or_found_do_not_compile() {
    let named = |attribute: &str| {
        let attribute: proc_macro2::TokenStream = attribute.parse().expect("tokens");
        event(parse_quote!(enum E { #attribute A { x: u32, y: Option<u32> } }))
    };
    let cases = [
        ("#[event(\"a\", at = \"s-{x}\")]", "compiles"),
        ("", "an event needs its wire name and home: #[event(\"name\", at = \"stream-{field}\")]"),
        ("#[event(\"a\")]", "an event needs a home stream: at = \"…\""),
        ("#[event(\"a\", at = \"s-{z}\")]", "the event has no such field, field=z"),
        ("#[event(\"a\", at = \"s-{x\")]", "a hole is not closed, template=\"s-{x\""),
        ("#[event(\"a\", at = \"s-*\")]", "a template has no `*`: write {field}, template=\"s-*\""),
        ("#[event(\"a\", at = \"s-{x}{x}\")]", "two holes must have text between them, template=\"s-{x}{x}\""),
        ("#[event(\"a\", at = \"/s/{x}\")]", "a home stream begins neither with `/`, as paths do, nor with `$`"),
        ("#[event(\"a\", at = \"s-{y?}\")]", "every event has a home: its holes cannot be optional"),
        ("#[event(\"a\", at = \"s\", at = \"t\")]", "an event has one home: further paths are `also`"),
        ("#[event(\"a\", at = \"s\")] #[event(\"b\", at = \"s\")]", "an event has one `#[event(…)]`: it is one kind"),
        (
            "#[event(\"\", at = \"s\")]",
            "a wire name is not empty, has no control characters and does not begin with `$`",
        ),
        ("#[event(\"a\", at = \"s\", tag = \"t\")]", "an event has `at`, `also`, `v`, `since` and `upcast(…)`"),
        ("#[event(\"a\", at = \"s\", v = 0)]", "versions count from 1, and `since` is not after `v`"),
        (
            "#[event(\"a\", at = \"s\", v = 2)]",
            "version 1 needs exactly one way to 2: upcast(1 = function), or since = 2 if it was never recorded",
        ),
        ("#[event(\"a\", at = \"s\", upcast(1 = f))]", "there is an upcast for a version that is not an old one"),
    ];
    for (attribute, expected) in cases {
        assert_eq!(named(attribute), expected, "{attribute}");
    }
}

#[test]
fn kinds_of_one_name_do_not_compile() {
    let twice = parse_quote!(
        enum E {
            #[event("a", at = "s")]
            A,
            #[event("a", at = "t")]
            B,
        }
    );
    assert_eq!(event(twice), "two events have the same wire name, name=a");
    let by_version = parse_quote!(
        enum E {
            #[event("a.v2", at = "s")]
            A,
            #[event("a", at = "s", v = 2, upcast(1 = f))]
            B,
        }
    );
    assert_eq!(event(by_version), "two events have the same wire name, name=a.v2");
    let old = parse_quote!(
        #[event(ignores("b", "a"))]
        enum E {
            #[event("a", at = "s", v = 2, upcast(1 = f))]
            B,
        }
    );
    assert_eq!(event(old), "a kind cannot be ignored that is one, name=a");
}

#[test]
fn what_is_no_enum_of_fields_does_not_compile() {
    assert_eq!(
        event(parse_quote!(
            struct E {
                x: u32,
            }
        )),
        "events are the variants of an enum"
    );
    assert_eq!(
        event(parse_quote!(
            enum E {}
        )),
        "an enum of events has a variant for each kind, and so at least one"
    );
    let two = parse_quote!(
        enum E {
            #[event("a", at = "s")]
            A(u32, u32),
        }
    );
    assert_eq!(event(two), "an event has named fields, or one struct of them");
    let none = parse_quote!(
        enum E {
            #[event("a", at = "s-{x}")]
            A,
        }
    );
    assert_eq!(event(none), "the event has no fields");
    assert_eq!(
        event(parse_quote!(
            #[event(json)]
            enum E {
                #[event("a", at = "s")]
                A,
            }
        )),
        "an enum of events has `format = …` and `ignores(…)`"
    );
}

/// A skipped variant shifts the numbers by which serde knows the others: an event was then read back as another one, without a word.
#[test]
fn serde_cannot_be_told_to_write_something_else() {
    let on_enum = |word: &str| {
        let word: proc_macro2::TokenStream = word.parse().expect("tokens");
        event(parse_quote!(
            #[serde(#word)]
            enum E {
                #[event("a", at = "s")]
                A,
            }
        ))
    };
    let on_variant = |word: &str| {
        let word: proc_macro2::TokenStream = word.parse().expect("tokens");
        event(parse_quote!(
            enum E {
                #[event("a", at = "s")]
                #[serde(rename = "z", #word)]
                A,
            }
        ))
    };
    let refused = |name: &str| {
        format!("an event is written as its fields alone, under its wire name: it cannot have serde({name})")
    };
    for (word, name) in [("tag = \"type\"", "tag"), ("untagged", "untagged"), ("into = \"Other\"", "into")] {
        assert_eq!(on_enum(word), refused(name));
    }
    for word in ["skip", "skip_deserializing", "other", "untagged"] {
        assert_eq!(on_variant(word), refused(word));
    }
    assert_eq!(
        (on_enum("rename_all = \"lowercase\""), on_variant("alias = \"y\"")),
        ("compiles".into(), "compiles".into())
    );
}

#[test]
fn commands_say_what_they_must_know() {
    assert_eq!(
        command(parse_quote!(
            #[command((A, B), key = (x, y), or = R, ignores("a"))]
            struct C {
                x: u32,
                y: u32,
            }
        )),
        "compiles"
    );
    assert_eq!(
        command(parse_quote!(
            struct C {
                x: u32,
            }
        )),
        "a command says what it must know: #[command(Model, key = field, or = Refusal)]"
    );
    assert_eq!(
        command(parse_quote!(
            #[command(A, keys = x)]
            struct C {
                x: u32,
            }
        )),
        "a command has `key`, `or`, `event`, `name` and `ignores(…)`"
    );
    assert_eq!(
        command(parse_quote!(
            #[command(A, key = x + 1)]
            struct C {
                x: u32,
            }
        )),
        "a key is a field of the command, (), or a tuple of them"
    );
    assert_eq!(
        command(parse_quote!(
            #[command(A, key = x)]
            #[command(B, key = x)]
            struct C {
                x: u32,
            }
        )),
        "a command has one `#[command(…)]`: several models are a tuple"
    );
}

#[test]
fn keys_and_monoids_are_structs() {
    let key = |input: DeriveInput| told(crate::law::derive_key(&input));
    assert_eq!(
        key(parse_quote!(
            struct K(u32);
        )),
        "compiles"
    );
    assert_eq!(
        key(parse_quote!(
            struct K {
                a: u32,
                b: u32,
            }
        )),
        "a key is a struct around one other key"
    );
    assert_eq!(
        told(crate::law::derive_monoid(&parse_quote!(
            enum M {
                A,
            }
        ))),
        "can only be derived for a struct"
    );
}
