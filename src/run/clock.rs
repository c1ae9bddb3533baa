//! Guards of time: a run for an earlier time takes back what began since, one for a later time bills what is yet to be.
//!
//! What would move closed books is refused until somebody says why; anything else is a warning.

use jiff::Timestamp;

use super::Request;
use super::event::{Event, Hear};
use crate::error::{Error, Result, While};
use crate::ledger::Entry;

/// What to do where a time guard refuses.
const HINT: &str = "leave --as-of out, or say why it is meant so: --accept \"WHY\"";

/// Refuses a run as of a time before the newest closing, unless it is accepted; whether that was needed.
pub(super) fn before_closing(request: &Request, head: Option<&Entry>) -> Result<bool> {
    let Some(closing) = head.and_then(|head| head.closings.last()) else { return Ok(false) };
    if request.as_of >= instant_of(&closing.as_of)? {
        return Ok(false);
    }
    if request.accepted.is_some() {
        return Ok(true);
    }
    let what = format!(
        "nothing is run as of {}: {} was closed as of {}, and what began since would be taken back",
        request.as_of_text, closing.billing_period, closing.as_of
    );
    Err(Error::data(what, HINT))
}

/// Says what a run does that is for an earlier time than the one before, or for a time that has not come.
pub(super) fn tell(request: &Request, head: Option<&Entry>, hear: Hear<'_>) -> Result<()> {
    let as_of = &request.as_of_text;
    if let Some(head) = head
        && request.as_of < instant_of(&head.as_of)?
    {
        hear(&Event::Earlier { as_of: as_of.clone(), before: head.as_of.clone() });
    }
    if request.as_of > request.now {
        hear(&Event::Ahead { as_of: as_of.clone(), now: text_of(request.now)? });
    }
    Ok(())
}

/// Refuses to close a period as of a time that has not come, unless it is accepted; whether that was needed.
///
/// What has ended by an earlier time than the clock's has ended.
pub fn closing(request: &Request, period: &str) -> Result<bool> {
    if request.as_of <= request.now {
        return Ok(false);
    }
    if request.accepted.is_some() {
        return Ok(true);
    }
    let (as_of, now) = (&request.as_of_text, text_of(request.now)?);
    Err(Error::data(format!("{period} was not closed: {as_of} is ahead of the clock ({now})"), HINT))
}

/// RFC 3339 in UTC, to the second.
fn text_of(instant: i64) -> Result<String> {
    let stamp = Timestamp::from_second(instant.div_euclid(1_000_000));
    Ok(stamp.during(|| "writing a time".into())?.to_string())
}

fn instant_of(text: &str) -> Result<i64> {
    let stamp: Timestamp = text.parse().during(|| format!("reading the time {text} of the ledger"))?;
    Ok(stamp.as_microsecond())
}
