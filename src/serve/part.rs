//! A part of an answer, by a range of bytes: a download that broke off goes on where it ended.
//!
//! An answer with a tag has the same bytes whenever it is made, so that a part of it is made by making all of it, into
//! a file that nobody else sees, and sending that part.

use std::io::{Seek, SeekFrom};

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::problem::Problem;
use crate::error::{Result, While};

/// Bytes that are read at one time.
const PIECE: usize = 64 << 10;

/// The bytes that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// From one on, to another and with it; none: to the end.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

impl Part {
    /// What a request asks for of the answer with this tag; none: all of it. Several ranges at one time are answered by
    /// all of it, as a range of another answer is.
    pub(super) fn asked(headers: &HeaderMap, tag: &str) -> Option<Self> {
        let is_other = |own: &HeaderValue| own.as_bytes() != tag.as_bytes();
        if headers.get(IF_RANGE).is_some_and(is_other) {
            return None;
        }
        let range = headers.get(RANGE)?.to_str().ok()?.trim().strip_prefix("bytes=")?;
        let (first, last) = range.split_once('-')?;
        match (first.trim(), last.trim()) {
            ("", last) => last.parse().ok().map(Self::Last),
            (first, "") => first.parse().ok().map(|first| Self::From(first, None)),
            (first, last) => {
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The first byte of so many, and how many; none where it begins behind them.
    fn of(self, total: u64) -> Option<(u64, u64)> {
        match self {
            Self::From(first, last) => {
                let end = last.map_or(total, |last| last.saturating_add(1).min(total));
                (first < end).then(|| (first, end - first))
            }
            Self::Last(count) => {
                let count = count.min(total);
                (count > 0).then(|| (total - count, count))
            }
        }
    }
}

/// An answer as it is made, all of it.
pub(super) struct Whole {
    file: tokio::fs::File,
    bytes: u64,
}

impl Whole {
    pub(super) fn new() -> Result<Self> {
        let file = tempfile::tempfile().during(|| "keeping an answer".into())?;
        Ok(Self { file: tokio::fs::File::from_std(file), bytes: 0 })
    }

    /// Adds what comes next of it.
    pub(super) async fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).await.during(|| "keeping an answer".into())
    }

    /// The part of it, under the headers that the whole would have.
    pub(super) async fn part(mut self, part: Part, mut whole: Response) -> Result<Response> {
        let total = self.bytes;
        let Some((first, count)) = part.of(total) else {
            let title = "the answer is not so long";
            let detail = format!("it has {total} bytes");
            let mut refused = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, title, detail).into_response();
            put(refused.headers_mut(), format!("bytes */{total}"));
            return Ok(refused);
        };
        let reading = || "reading an answer".to_string();
        self.file.flush().await.during(reading)?;
        let mut file = self.file.into_std().await;
        file.seek(SeekFrom::Start(first)).during(reading)?;
        *whole.status_mut() = StatusCode::PARTIAL_CONTENT;
        put(whole.headers_mut(), format!("bytes {first}-{}/{total}", first + count - 1));
        whole.headers_mut().insert(CONTENT_LENGTH, count.into());
        *whole.body_mut() = Body::from_stream(pieces(tokio::fs::File::from_std(file), count));
        Ok(whole)
    }
}

fn put(headers: &mut HeaderMap, range: String) {
    if let Ok(range) = HeaderValue::from_str(&range) {
        headers.insert(CONTENT_RANGE, range);
    }
}

/// So many bytes of a file, from where it stands.
fn pieces(file: tokio::fs::File, count: u64) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold((file, count), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(read);
        Ok(Some((Bytes::from(piece), (file, left - read as u64))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_of_the_bytes_that_there_are() {
        let of = |range: &str, total| {
            let headers = HeaderMap::from_iter([(RANGE, range.parse().unwrap())]);
            Part::asked(&headers, "\"t\"").map(|part| part.of(total))
        };
        assert_eq!(of("bytes=0-", 10), Some(Some((0, 10))));
        assert_eq!(of("bytes=3-5", 10), Some(Some((3, 3))));
        assert_eq!(of("bytes=3-50", 10), Some(Some((3, 7))));
        assert_eq!(of("bytes=-4", 10), Some(Some((6, 4))));
        assert_eq!(of("bytes=-40", 10), Some(Some((0, 10))));
        assert_eq!(of("bytes=10-", 10), Some(None));
        assert_eq!(of("bytes=-0", 10), Some(None));
        for all in ["bytes=5-3", "bytes=0-1,4-5", "lines=1-2", "bytes=x-", "bytes=-"] {
            assert_eq!(of(all, 10), None, "{all}");
        }
        let headers = |tag: &str| {
            HeaderMap::from_iter([(RANGE, "bytes=1-".parse().unwrap()), (IF_RANGE, tag.parse().unwrap())])
        };
        assert!(Part::asked(&headers("\"t\""), "\"t\"").is_some());
        assert!(Part::asked(&headers("\"other\""), "\"t\"").is_none());
    }
}
