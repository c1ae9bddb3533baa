//! Bytes that are written once: where they are, and how the maker of an object is told apart from those who come late.

pub mod cache;
pub mod digest;
pub mod directory;
pub mod location;
pub mod overlay;
pub mod warehouse;
