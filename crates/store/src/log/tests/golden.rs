//! Golden files are written below.
