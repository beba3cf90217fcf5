//! Templates of names: literal text and holes, `account-{account}`. A hole that ends in `?` is an `Option`, and without it there is no name.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Ident, LitStr, Result};

/// A parsed template.
pub(crate) struct Template {
    /// As it was written.
    pub(crate) text: LitStr,
    parts: Vec<Part>,
}

enum Part {
    Literal(String),
    Hole { field: Ident, optional: bool },
}

impl Template {
    /// Parses `text`.
    pub(crate) fn parse(text: LitStr) -> Result<Self> {
        let written = text.value();
        let wrong = |what: &str| Error::new(text.span(), format!("{what}, template={written:?}"));
        if written.is_empty() {
            return Err(wrong("a template must not be empty"));
        }
        if written.contains('*') {
            return Err(wrong("a template has no `*`: write {field}"));
        }
        let mut parts = Vec::new();
        let mut rest = written.as_str();
        while let Some((literal, after)) = rest.split_once('{') {
            let (hole, after) = after.split_once('}').ok_or_else(|| wrong("a hole is not closed"))?;
            if literal.contains('}') {
                return Err(wrong("a `}` without its `{`"));
            }
            if literal.is_empty() && !parts.is_empty() {
                return Err(wrong("two holes must have text between them"));
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let (name, optional) = hole.strip_suffix('?').map_or((hole, false), |name| (name, true));
            let mut field = syn::parse_str::<Ident>(name).map_err(|_| wrong("a hole must name a field"))?;
            field.set_span(text.span());
            parts.push(Part::Hole { field, optional });
            rest = after;
        }
        if rest.contains('}') {
            return Err(wrong("a `}` without its `{`"));
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { text, parts })
    }

    /// The fields that are named.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Ident> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole { field, .. } => Some(field),
            Part::Literal(_) => None,
        })
    }

    /// The first hole that may be empty.
    pub(crate) fn optional(&self) -> Option<&Ident> {
        self.parts.iter().find_map(|part| match part {
            Part::Hole { field, optional: true } => Some(field),
            Part::Hole { .. } | Part::Literal(_) => None,
        })
    }

    /// An expression of type `Option<String>`: the name, with `access` saying how a field is reached (as a reference).
    pub(crate) fn fill(&self, krate: &TokenStream, access: impl Fn(&Ident) -> TokenStream) -> TokenStream {
        let text = &self.text;
        let steps = self.parts.iter().map(|part| match part {
            Part::Literal(literal) => quote!(__name.literal(#literal);),
            Part::Hole { field, optional } => {
                let value = access(field);
                if *optional {
                    quote!(__name.hole(::core::option::Option::as_ref(#value)?);)
                } else {
                    quote!(__name.hole(#value);)
                }
            }
        });
        quote! {
            (|| -> ::core::option::Option<#krate::__private::Name> {
                let mut __name = #krate::__private::Name::of(#text);
                #(#steps)*
                ::core::option::Option::Some(__name)
            })()
        }
    }
}
