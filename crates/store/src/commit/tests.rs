//! The rules by cases, against the model, and across restarts.

mod cases;
mod conditions;
mod limits;
mod notation;
mod parts;
mod properties;
