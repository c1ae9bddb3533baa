//! Whether what was published is as it was.

pub mod verify;
