//! `#[derive(Monoid)]` and `#[derive(Key)]`: what holds of the fields holds of the struct.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Field, Index, Member, Result};

use crate::krate;

fn fields(input: &DeriveInput) -> Result<Vec<(Member, &Field)>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "can only be derived for a struct"));
    };
    let member = |(index, field): (usize, &Field)| match &field.ident {
        Some(ident) => Member::Named(ident.clone()),
        None => Member::Unnamed(Index::from(index)),
    };
    Ok(data.fields.iter().enumerate().map(|(index, field)| (member((index, field)), field)).collect())
}

/// Expands `#[derive(Monoid)]`: the monoid, its codec, and each law on condition that every field keeps it.
pub(crate) fn derive_monoid(input: &DeriveInput) -> Result<TokenStream> {
    let krate = krate::path();
    let algebra = quote!(#krate::algebra);
    let fields = fields(input)?;
    let members: Vec<_> = fields.iter().map(|(member, _)| member).collect();
    let types: Vec<_> = fields.iter().map(|(_, field)| &field.ty).collect();
    let locals: Vec<_> = (0..members.len()).map(|index| format_ident!("__field_{index}")).collect();
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let own: Vec<_> = where_clause.iter().flat_map(|clause| clause.predicates.iter()).collect();
    // With a bound lifetime the condition is judged where the law is used; without one, a false condition is an error right here.
    let when = |law: &TokenStream| quote!(where #(#own,)* #(for<'__law> #types: #algebra::#law,)*);
    let [monoid, commutative, idempotent, invertible, reset, codec] =
        ["Monoid", "Commutative", "Idempotent", "Invertible", "Reset", "Codec"].map(|law| {
            let law = format_ident!("{law}");
            let condition = when(&quote!(#law));
            (quote!(impl #impl_generics #algebra::#law for #name #type_generics #condition), quote!(#algebra::#law))
        });
    let (monoid, m) = monoid;
    let (commutative, idempotent) = (commutative.0, idempotent.0);
    let ((invertible, i), (reset, r), (codec, c)) = (invertible, reset, codec);
    Ok(quote! {
        #[automatically_derived]
        #monoid {
            fn identity() -> Self { Self { #(#members: #m::identity(),)* } }
            fn combine(&mut self, later: &Self) { #(#m::combine(&mut self.#members, &later.#members);)* }
            fn heap_bytes(&self) -> usize { 0 #(+ #m::heap_bytes(&self.#members))* }
        }
        #[automatically_derived]
        #commutative {}
        #[automatically_derived]
        #idempotent {}
        #[automatically_derived]
        #invertible { fn invert(&mut self) { #(#i::invert(&mut self.#members);)* } }
        #[automatically_derived]
        #reset { fn is_reset(&self) -> bool { true #(&& #r::is_reset(&self.#members))* } }
        #[automatically_derived]
        #codec {
            fn encode(&self, out: &mut ::std::vec::Vec<u8>) { #(#c::encode(&self.#members, out);)* }
            fn decode(input: &mut &[u8]) -> ::core::option::Option<Self> {
                #(let #locals = #c::decode(input)?;)*
                ::core::option::Option::Some(Self { #(#members: #locals,)* })
            }
        }
    })
}

/// Expands `#[derive(Key)]`.
pub(crate) fn derive_key(input: &DeriveInput) -> Result<TokenStream> {
    let krate = krate::path();
    let fields = fields(input)?;
    let [(member, field)] = &fields[..] else {
        return Err(Error::new_spanned(&input.ident, "a key is a struct around one other key"));
    };
    let (name, inner) = (&input.ident, &field.ty);
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Key for #name #type_generics #where_clause {
            const PARTS: usize = <#inner as #krate::Key>::PARTS;
            fn part(&self, index: usize, out: &mut ::std::string::String) {
                <#inner as #krate::Key>::part(&self.#member, index, out);
            }
            fn parse(parts: &[&str]) -> ::core::option::Option<Self> {
                ::core::option::Option::map(<#inner as #krate::Key>::parse(parts), |inner| Self { #member: inner })
            }
        }
    })
}
