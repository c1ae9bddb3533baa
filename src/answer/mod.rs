//! What is asked of the tables, and answered as rows or text.

pub mod ask;
pub mod describe;
pub mod own;
pub mod views;
