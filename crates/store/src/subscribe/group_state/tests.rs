//! What must hold of a group, by name and by chance.
