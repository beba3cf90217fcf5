//! `#[derive(Event)]`: the wire names, versions and addresses of an enum's variants.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Data, DeriveInput, Error, Fields, Ident, LitInt, LitStr, Meta, Path, Result, Token, Variant,
    meta::ParseNestedMeta,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::{krate, template::Template};

/// Expands the derive.
pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "events are the variants of an enum"));
    };
    if data.variants.is_empty() {
        return Err(Error::new_spanned(
            &input.ident,
            "an enum of events has a variant for each kind, and so at least one",
        ));
    }
    check_serde(&input.attrs, SerdeOn::Enum)?;
    let krate = krate::path();
    let settings = Settings::of(input)?;
    let kinds = data.variants.iter().map(Kind::of).collect::<Result<Vec<_>>>()?;
    check_names(&kinds, &settings.ignores)?;
    let names = &input.ident;
    let generics = bounded(input, &krate);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let consts = kinds.iter().map(|kind| kind.constant(&krate));
    let indices = kinds.iter().enumerate().map(|(index, kind)| {
        let variant = &kind.variant.ident;
        quote!(Self::#variant { .. } => #index)
    });
    let homes = kinds.iter().map(|kind| kind.home(&krate));
    let tags = kinds.iter().map(|kind| kind.tags(&krate));
    let found = kinds.iter().enumerate().flat_map(|(index, kind)| kind.found(index, &krate));
    let (ignores, format) =
        (&settings.ignores, settings.format.map_or_else(|| quote!(#krate::Json), |path| quote!(#path)));
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Event for #names #type_generics #where_clause {
            type Format = #format;
            const KINDS: &'static [#krate::Kind] = &[#(#consts),*];
            const IGNORES: &'static [&'static str] = &[#(#ignores),*];
            fn kind_index(&self) -> usize {
                match self { #(#indices),* }
            }
            fn home(&self) -> #krate::__private::Name {
                match self { #(#homes),* }
            }
            fn further(&self) -> ::std::vec::Vec<#krate::__private::Name> {
                match self { #(#tags),* }
            }
            fn find(event_type: &str) -> ::core::option::Option<#krate::Found> {
                match event_type {
                    #(#found)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    })
}

/// The generics of the enum; if there are any, with what serde makes of them: it bounds them by itself, and a bound on the enum would be one too many for it.
fn bounded(input: &DeriveInput, krate: &TokenStream) -> syn::Generics {
    let mut generics = input.generics.clone();
    if !generics.params.is_empty() {
        let private = quote!(#krate::__private);
        generics.make_where_clause().predicates.push(syn::parse_quote!(
            Self: #private::Serialize + #private::DeserializeOwned + ::core::marker::Send + ::core::marker::Sync + 'static
        ));
    }
    generics
}

/// What stands on the enum: `#[event(format = Cbor, ignores("old-kind"))]`.
#[derive(Default)]
struct Settings {
    format: Option<Path>,
    ignores: Vec<LitStr>,
}

impl Settings {
    fn of(input: &DeriveInput) -> Result<Self> {
        let mut settings = Self::default();
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("format") {
                    let format = meta.value()?.parse()?;
                    if settings.format.replace(format).is_some() {
                        Err(meta.error("`format` is said twice"))
                    } else {
                        Ok(())
                    }
                } else if meta.path.is_ident("ignores") {
                    settings.ignores.extend(list::<LitStr>(&meta)?);
                    Ok(())
                } else {
                    Err(meta.error("an enum of events has `format = …` and `ignores(…)`"))
                }
            })?;
        }
        Ok(settings)
    }
}

fn list<T: Parse>(meta: &ParseNestedMeta<'_>) -> Result<Punctuated<T, Token![,]>> {
    let content;
    syn::parenthesized!(content in meta.input);
    content.parse_terminated(T::parse, Token![,])
}

/// A variant and what its attribute says.
struct Kind<'v> {
    variant: &'v Variant,
    name: LitStr,
    at: Template,
    also: Vec<Template>,
    version: u32,
    since: u32,
    upcasts: Vec<Upcast>,
}

/// `1 = path_of_a_function`.
struct Upcast {
    version: LitInt,
    function: Path,
}

impl Parse for Upcast {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let version = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self { version, function: input.parse()? })
    }
}

/// The attribute of a variant.
struct Attribute {
    name: LitStr,
    at: Option<LitStr>,
    also: Vec<LitStr>,
    version: u32,
    since: Option<u32>,
    upcasts: Vec<Upcast>,
}

impl Parse for Attribute {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        let mut all = Self { name, at: None, also: Vec::new(), version: 1, since: None, upcasts: Vec::new() };
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let key: Ident = input.parse()?;
            if key == "upcast" {
                let content;
                syn::parenthesized!(content in input);
                all.upcasts.extend(content.parse_terminated(Upcast::parse, Token![,])?);
                continue;
            }
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                // A second one would silently replace the first.
                "at" if all.at.is_some() => {
                    return Err(Error::new(key.span(), "an event has one home: further paths are `also`"));
                }
                "at" => all.at = Some(input.parse()?),
                "also" => all.also.push(input.parse()?),
                "v" => all.version = input.parse::<LitInt>()?.base10_parse()?,
                "since" => all.since = Some(input.parse::<LitInt>()?.base10_parse()?),
                _ => return Err(Error::new(key.span(), "an event has `at`, `also`, `v`, `since` and `upcast(…)`")),
            }
        }
        Ok(all)
    }
}

impl<'v> Kind<'v> {
    fn of(variant: &'v Variant) -> Result<Self> {
        check_serde(&variant.attrs, SerdeOn::Variant)?;
        let mut attributes = variant.attrs.iter().filter(|attribute| attribute.path().is_ident("event"));
        let attribute = attributes.next().ok_or_else(|| {
            Error::new_spanned(
                variant,
                "an event needs its wire name and home: #[event(\"name\", at = \"stream-{field}\")]",
            )
        })?;
        if let Some(second) = attributes.next() {
            return Err(Error::new_spanned(second, "an event has one `#[event(…)]`: it is one kind"));
        }
        let parsed: Attribute = attribute.parse_args()?;
        let at = parsed.at.ok_or_else(|| Error::new(parsed.name.span(), "an event needs a home stream: at = \"…\""))?;
        let kind = Self {
            variant,
            name: parsed.name,
            at: Template::parse(at)?,
            also: parsed.also.into_iter().map(Template::parse).collect::<Result<_>>()?,
            version: parsed.version,
            since: parsed.since.unwrap_or(1),
            upcasts: parsed.upcasts,
        };
        kind.check()?;
        Ok(kind)
    }

    fn check(&self) -> Result<()> {
        let at_name = |what: String| Error::new(self.name.span(), what);
        let name = self.name.value();
        if name.is_empty() || name.starts_with('$') || name.chars().any(char::is_control) {
            return Err(at_name(
                "a wire name is not empty, has no control characters and does not begin with `$`".to_owned(),
            ));
        }
        if self.version == 0 || self.since == 0 || self.since > self.version {
            return Err(at_name("versions count from 1, and `since` is not after `v`".to_owned()));
        }
        if self.at.text.value().starts_with(['/', '$']) {
            return Err(Error::new(
                self.at.text.span(),
                "a home stream begins neither with `/`, as paths do, nor with `$`",
            ));
        }
        if let Some(field) = self.at.optional() {
            return Err(Error::new(field.span(), "every event has a home: its holes cannot be optional"));
        }
        for version in self.since..self.version {
            let known = |upcast: &&Upcast| upcast.version.base10_parse::<u32>().is_ok_and(|known| known == version);
            if self.upcasts.iter().filter(known).count() != 1 {
                return Err(at_name(format!(
                    "version {version} needs exactly one way to {}: upcast({version} = function), or since = {} if it was never recorded",
                    version + 1,
                    version + 1
                )));
            }
        }
        if self.upcasts.len() != (self.version - self.since) as usize {
            return Err(at_name("there is an upcast for a version that is not an old one".to_owned()));
        }
        self.check_fields()
    }

    fn check_fields(&self) -> Result<()> {
        let templates = || std::iter::once(&self.at).chain(&self.also);
        match &self.variant.fields {
            Fields::Named(fields) => {
                for hole in templates().flat_map(Template::fields) {
                    if !fields.named.iter().any(|field| field.ident.as_ref() == Some(hole)) {
                        return Err(Error::new(hole.span(), format!("the event has no such field, field={hole}")));
                    }
                }
                Ok(())
            }
            // The field's own type says whether it has them.
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(()),
            Fields::Unnamed(fields) => {
                Err(Error::new_spanned(fields, "an event has named fields, or one struct of them"))
            }
            Fields::Unit => match templates().flat_map(Template::fields).next() {
                None => Ok(()),
                Some(hole) => Err(Error::new(hole.span(), "the event has no fields")),
            },
        }
    }

    /// The name on the wire: the first version has the plain one.
    fn wire(&self, version: u32) -> String {
        if version == 1 { self.name.value() } else { format!("{}.v{version}", self.name.value()) }
    }

    fn constant(&self, krate: &TokenStream) -> TokenStream {
        let (name, version, wire, at) = (&self.name, self.version, self.wire(self.version), &self.at.text);
        let also = self.also.iter().map(|template| &template.text);
        let upcasts = (self.since..self.version).map(|version| {
            let wire = self.wire(version);
            let function = self.upcasts.iter().find(|u| u.version.base10_parse::<u32>().is_ok_and(|v| v == version));
            let function = function.map(|upcast| &upcast.function);
            quote!(#krate::Upcast { version: #version, wire: #wire, name: stringify!(#function), to_next: #function })
        });
        quote! {
            #krate::Kind {
                name: #name, version: #version, wire: #wire, at: #at, also: &[#(#also),*], upcasts: &[#(#upcasts),*],
            }
        }
    }

    /// The pattern that binds what templates name, and how a field is then reached.
    fn pattern(&self, templates: &[Template]) -> (TokenStream, impl Fn(&Ident) -> TokenStream + use<>) {
        let mut fields: Vec<Ident> = templates.iter().flat_map(Template::fields).cloned().collect();
        fields.sort();
        fields.dedup();
        let variant = &self.variant.ident;
        let is_newtype = matches!(self.variant.fields, Fields::Unnamed(_));
        let pattern = match &self.variant.fields {
            Fields::Unnamed(_) if fields.is_empty() => quote!(Self::#variant(_)),
            Fields::Unnamed(_) => quote!(Self::#variant(__inner)),
            Fields::Named(_) | Fields::Unit => quote!(Self::#variant { #(#fields,)* .. }),
        };
        (pattern, move |field: &Ident| if is_newtype { quote!(&__inner.#field) } else { quote!(#field) })
    }

    fn home(&self, krate: &TokenStream) -> TokenStream {
        let (pattern, access) = self.pattern(std::slice::from_ref(&self.at));
        let name = self.at.fill(krate, access);
        quote!(#pattern => #name.expect("a home has no optional holes"))
    }

    fn tags(&self, krate: &TokenStream) -> TokenStream {
        let (pattern, access) = self.pattern(&self.also);
        let names = self.also.iter().map(|template| template.fill(krate, &access));
        let count = self.also.len();
        quote! {
            #pattern => {
                let names: [::core::option::Option<#krate::__private::Name>; #count] = [#(#names),*];
                names.into_iter().flatten().collect()
            }
        }
    }

    /// The arms that find this kind by its wire name, old ones too.
    fn found(&self, index: usize, krate: &TokenStream) -> Vec<TokenStream> {
        let some =
            |found: TokenStream| quote!(::core::option::Option::Some(#krate::Found { kind: #index, upcast: #found }));
        let now = some(quote!(::core::option::Option::None));
        let wire = self.wire(self.version);
        let old = (self.since..self.version).enumerate().map(|(upcast, version)| {
            let (wire, found) = (self.wire(version), some(quote!(::core::option::Option::Some(#upcast))));
            quote!(#wire => #found,)
        });
        std::iter::once(quote!(#wire => #now,)).chain(old).collect()
    }
}

/// No two kinds share a wire name, in any of their versions, and none is ignored.
fn check_names(kinds: &[Kind<'_>], ignores: &[LitStr]) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for kind in kinds {
        for version in kind.since..=kind.version {
            let wire = kind.wire(version);
            if !seen.insert(wire.clone()) {
                return Err(Error::new(kind.name.span(), format!("two events have the same wire name, name={wire}")));
            }
        }
    }
    match ignores.iter().find(|ignored| seen.contains(&ignored.value())) {
        Some(both) => {
            Err(Error::new(both.span(), format!("a kind cannot be ignored that is one, name={}", both.value())))
        }
        None => Ok(()),
    }
}

/// Where an attribute of serde stands.
#[derive(Clone, Copy)]
enum SerdeOn {
    Enum,
    Variant,
}

/// Refuses what would have serde write something else than a variant's fields, or count variants otherwise than they stand: a variant is read back by
/// its number.
fn check_serde(attributes: &[syn::Attribute], on: SerdeOn) -> Result<()> {
    let refused: &[&str] = match on {
        SerdeOn::Enum => &["tag", "content", "untagged", "from", "try_from", "into", "transparent", "remote"],
        SerdeOn::Variant => &[
            "skip",
            "skip_serializing",
            "skip_deserializing",
            "other",
            "untagged",
            "with",
            "serialize_with",
            "deserialize_with",
        ],
    };
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        let words = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
        if let Some(word) = words.iter().find(|word| refused.iter().any(|refused| word.path().is_ident(refused))) {
            let name = word.path().get_ident().map(ToString::to_string).unwrap_or_default();
            return Err(Error::new_spanned(
                word,
                format!("an event is written as its fields alone, under its wire name: it cannot have serde({name})"),
            ));
        }
    }
    Ok(())
}
