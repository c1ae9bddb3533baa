//! Who may do what over HTTP, and what was done: keys, and the changes that were made by them.
//!
//! What always holds: a key is made and revoked by people, and is never changed; the warehouse has no secret of one,
//! only its hash. Asking for keys, and noting changes, is left to the service.

pub mod audit;
pub mod key;
