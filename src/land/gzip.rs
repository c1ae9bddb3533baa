//! Gzip, member after member, that tells where something else follows.

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Bytes behind the last member, which are no gzip.
#[derive(Debug)]
pub(super) struct Trailing {
    /// Where they begin, in bytes from the start of the file.
    pub(super) at: u64,
}

impl fmt::Display for Trailing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "something follows the gzip data, at byte {}", self.at)
    }
}

impl Error for Trailing {}

/// Counts the bytes that were taken.
struct Counted<R> {
    inner: R,
    taken: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.taken += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.taken += bytes as u64;
        self.inner.consume(bytes);
    }
}

/// What gzip members unpack to.
pub(super) struct Members<R> {
    /// None after the last.
    member: Option<GzDecoder<Counted<R>>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(packed: R) -> Self {
        Self { member: Some(GzDecoder::new(Counted { inner: packed, taken: 0 })) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            let read = member.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let Some(member) = self.member.take() else { return Ok(0) };
            let mut packed = member.into_inner();
            match packed.fill_buf()? {
                [] => return Ok(0),
                [0x1f, ..] => self.member = Some(GzDecoder::new(packed)),
                _ => return Err(io::Error::other(Trailing { at: packed.taken })),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn members_are_read_and_what_follows_is_told() {
        let packed = |text: &str| {
            let mut member = GzEncoder::new(Vec::new(), Compression::default());
            member.write_all(text.as_bytes()).unwrap();
            member.finish().unwrap()
        };
        let two = [packed("one "), packed("two")].concat();
        let read = |bytes: Vec<u8>| {
            let mut text = String::new();
            let source = BufReader::with_capacity(7, Cursor::new(bytes));
            Members::new(source).read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(read(two.clone()).unwrap(), "one two");
        let error = read([two.clone(), vec![0; 9]].concat()).unwrap_err();
        assert_eq!(error.to_string(), format!("something follows the gzip data, at byte {}", two.len()));
        assert!(read(two[..two.len() - 3].to_vec()).is_err());
    }
}
