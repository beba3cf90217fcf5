//! Models of Gesta.
pub mod algebra;
