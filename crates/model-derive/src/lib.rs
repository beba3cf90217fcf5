//! The derives of `gesta-model`; their documentation is where it re-exports them.
//!
//! They write nothing that could not be written by hand: an `impl` of a public trait, and compile-time checks. What they check, they check
//! where it is written: a bad template is an error at its string.

mod command;
mod event;
mod krate;
mod law;
mod template;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes an enum a set of typed events: see `gesta_model::Event`.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct of monoids a monoid, with the laws that all of its fields keep: see `gesta_model::algebra`.
#[proc_macro_derive(Monoid)]
pub fn monoid(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    law::derive_monoid(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a newtype of a key a key: see `gesta_model::Key`.
#[proc_macro_derive(Key)]
pub fn key(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    law::derive_key(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Says what a command must know, and how it refuses: see `gesta_model::Command`.
#[proc_macro_derive(Command, attributes(command))]
pub fn command(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    command::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

#[cfg(test)]
mod tests;
