//! All tests that need the whole program, in one binary, because linking DataFusion is what takes time.

mod fault_store;
mod laws;
mod queries;
mod rating;
mod sample;
mod tidy;
