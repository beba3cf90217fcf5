//! `#[derive(Command)]`: which models a command must know, under which keys.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Data, DeriveInput, Error, Expr, Ident, LitStr, Member, Result, Token, Type,
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
    let mut attributes = input.attrs.iter().filter(|attribute| attribute.path().is_ident("command"));
    let attribute = attributes.next().ok_or_else(|| {
        Error::new_spanned(
            &input.ident,
            "a command says what it must know: #[command(Model, key = field, or = Refusal)]",
        )
    })?;
    if let Some(second) = attributes.next() {
        return Err(Error::new_spanned(second, "a command has one `#[command(…)]`: several models are a tuple"));
    }
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
    let asked = asked(input, &krate);
    // Of a command without type arguments at once, else when it is sent.
    let checked_now = input.generics.params.is_empty().then(|| {
        quote! { const _: &[&str] = <#command as #krate::Command>::IGNORES; }
    });
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Command for #command #type_generics #where_clause {
            const NAME: &'static str = #name;
            const IGNORES: &'static [&'static str] = {
                let ignores: &'static [&'static str] = &[#(#ignores),*];
                assert!(
                    #krate::__private::are_kinds(ignores, <#models as #krate::Knows>::KINDS),
                    "the command `ignores` a name that is no kind of event of its models"
                );
                ignores
            };
            type Knows = #models;
            type Event = #event;
            type Refusal = #refusal;
            #[allow(clippy::useless_conversion, clippy::unused_unit)]
            fn keys(&self) -> <#models as #krate::Knows>::Keys { #keys }
            #asked
        }
        #checked_now
    })
}

/// What tells two commands of a type apart: their fields.
fn asked(input: &DeriveInput, krate: &TokenStream) -> TokenStream {
    let Data::Struct(data) = &input.data else { return TokenStream::new() };
    let fields = data.fields.members().map(|member| {
        let name = match &member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        quote!((&#krate::__private::AskedField(#name, &self.#member)).add_to(&mut asked);)
    });
    quote! {
        #[allow(clippy::needless_borrow, clippy::borrow_deref_ref)]
        fn asked(&self) -> ::core::option::Option<#krate::__private::Uuid> {
            #[allow(unused_imports)]
            use #krate::__private::{AskedSerialized as _, AskedUnknown as _};
            #[allow(unused_mut)]
            let mut asked = #krate::__private::Asked::default();
            #(#fields)*
            ::core::option::Option::Some(asked.finish())
        }
    }
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
