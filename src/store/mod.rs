//! Bytes that are written once: where they are, and how the one who makes an object is told from those who come late.

pub mod cache;
pub mod digest;
pub mod directory;
pub mod location;
pub mod overlay;
pub mod warehouse;
