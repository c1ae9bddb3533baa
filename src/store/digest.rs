//! SHA-256 in hexadecimal, as contents, entries and files are named and chained.

use sha2::Digest as _;

/// A hash that grows with what is written.
#[derive(Debug, Clone, Default)]
pub struct Digest(sha2::Sha256);

impl Digest {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// 64 hexadecimal digits.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The SHA-256 of some bytes.
///
/// ```
/// use meterhouse::store::digest::sha256;
/// assert!(sha256(b"abc").starts_with("ba7816bf"));
/// ```
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    let mut digest = Digest::default();
    digest.update(bytes);
    digest.finish()
}
