//! All tests that need the whole program, in one binary, because linking DataFusion is what takes time.

mod aws_bill;
mod cli;
mod delta;
mod landing;
mod mistakes;
mod sample;
