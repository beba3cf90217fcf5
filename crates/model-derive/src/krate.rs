//! By which path the expanded code reaches `gesta-model`: directly, or through the facade `gesta`.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

/// The path of the crate, as the crate that is compiled knows it.
pub(crate) fn path() -> TokenStream {
    for (package, own_name) in [("gesta-model", "gesta_model"), ("gesta", "gesta")] {
        match crate_name(package) {
            // Both crates know themselves by their names, so that their examples and tests read like everybody's.
            Ok(FoundCrate::Itself) => return named(own_name),
            Ok(FoundCrate::Name(name)) => return named(&name),
            Err(_) => {}
        }
    }
    quote!(::gesta_model)
}

fn named(name: &str) -> TokenStream {
    let name = Ident::new(name, Span::call_site());
    quote!(::#name)
}
