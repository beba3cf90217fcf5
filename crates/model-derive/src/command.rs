//! `#[derive(Command)]`: which models a command must know, under which keys.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    DeriveInput, Error, Expr, Ident, LitStr, Result, Token, Type,
    parse::{Parse, ParseStream},
};

use crate::krate;

/// `#[command(Account, key = account, or = Refused)]`.
struct Attribute {
    models: Type,
    key: Option<Expr>,
    refusal: Option<Type>,
    event: Option<Type>,
    name: Option<LitStr>,
    ignores: Vec<LitStr>,
}

impl Parse for Attribute {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut all =
            Self { models: input.parse()?, key: None, refusal: None, event: None, name: None, ignores: Vec::new() };
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let name: Ident = input.parse()?;
            if name == "ignores" {
                let kinds;
                syn::parenthesized!(kinds in input);
                all.ignores = kinds.parse_terminated(|kind| kind.parse::<LitStr>(), Token![,])?.into_iter().collect();
                continue;
            }
            input.parse::<Token![=]>()?;
            match name.to_string().as_str() {
                "key" => all.key = Some(input.parse()?),
                "or" => all.refusal = Some(input.parse()?),
                "event" => all.event = Some(input.parse()?),
                "name" => all.name = Some(input.parse()?),
                _ => {
                    return Err(Error::new(name.span(), "a command has `key`, `or`, `event`, `name` and `ignores(…)`"));
                }
            }
        }
        Ok(all)
    }
}

/// Expands the derive.
pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let krate = krate::path();
    let attribute = input.attrs.iter().find(|attribute| attribute.path().is_ident("command"));
    let attribute = attribute.ok_or_else(|| {
        Error::new_spanned(
            &input.ident,
            "a command says what it must know: #[command(Model, key = field, or = Refusal)]",
        )
    })?;
    let Attribute { models, key, refusal, event, name, ignores } = attribute.parse_args()?;
    let first = if let Type::Tuple(tuple) = &models {
        tuple.elems.first().ok_or_else(|| Error::new_spanned(tuple, "a command knows a model"))?
    } else {
        &models
    };
    let event = event.map_or_else(|| quote!(<#first as #krate::Model>::Event), |event| quote!(#event));
    let refusal = refusal.map_or_else(|| quote!(::core::convert::Infallible), |refusal| quote!(#refusal));
    let keys = keys(key.as_ref())?;
    let command = &input.ident;
    let name = name.map_or_else(|| command.to_string(), |name| name.value());
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Command for #command #type_generics #where_clause {
            const NAME: &'static str = #name;
            const IGNORES: &'static [&'static str] = &[#(#ignores),*];
            type Knows = #models;
            type Event = #event;
            type Refusal = #refusal;
            #[allow(clippy::useless_conversion, clippy::unused_unit)]
            fn keys(&self) -> <#models as #krate::Knows>::Keys { #keys }
        }
    })
}

/// The key of one model, or a tuple of one for each.
fn keys(key: Option<&Expr>) -> Result<TokenStream> {
    match key {
        None => Ok(quote!(())),
        Some(Expr::Tuple(tuple)) if tuple.elems.is_empty() => Ok(quote!(())),
        Some(Expr::Tuple(tuple)) => {
            let keys = tuple.elems.iter().map(|key| keys(Some(key))).collect::<Result<Vec<_>>>()?;
            Ok(quote!((#(#keys),*)))
        }
        Some(Expr::Path(field)) if field.path.get_ident().is_some() => {
            Ok(quote!(::core::convert::Into::into(::core::clone::Clone::clone(&self.#field))))
        }
        Some(other) => Err(Error::new_spanned(other, "a key is a field of the command, (), or a tuple of them")),
    }
}
