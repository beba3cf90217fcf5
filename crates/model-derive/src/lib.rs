//! The derives of `gesta-model`.
