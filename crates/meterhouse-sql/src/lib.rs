//! What SQL cannot say, for any DataFusion session: [`functions::register`] adds it to one.
//!
//! There is no file, store, setting or project in here, and nothing commercial. A module uses only modules that stand
//! behind it in this list, or beside it in its line; a test holds that:
//!
//! - `functions`: one SQL function a file
//! - `cycle`, `decimal`, `name`

pub mod cycle;
pub mod decimal;
pub mod functions;
pub mod name;
