//! What must hold of a group: each rule by its name, and all of them under random scripts.

mod cost;
mod naive;
mod rules;
mod scripts;
mod world;
