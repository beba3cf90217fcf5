//! Gesta as a server.
