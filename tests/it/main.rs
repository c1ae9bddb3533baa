//! All tests that need the whole program, in one binary, because linking DataFusion is what takes time.

mod queries;
mod rating;
mod sample;
mod tidy;
