//! Values on their way into rows and out of them.

use std::borrow::Cow;

use sea_orm::{QueryResult, Value};
use serde::Serialize;

use super::StoreError;
use crate::uws::{JobId, Timestamp};

pub(super) fn job_id(row: &QueryResult) -> Result<JobId, StoreError> {
    Ok(JobId(row.try_get_by("id")?))
}

pub(super) fn time(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millis(millis).ok_or_else(|| StoreError::Corrupt(format!("time {millis}")))
}

/// An execution duration as the document has it.
pub(super) fn seconds(seconds: i64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Text as Postgres can keep it: without NUL, which comes of broken files and hostile clients.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Text as Postgres can keep it, as a value of a statement.
pub(super) fn text(text: &str) -> Value {
    storable(text).as_ref().into()
}

/// Likewise, null where there is none.
pub(super) fn optional_text(of: Option<&str>) -> Value {
    of.map_or(Value::String(None), text)
}

/// A hash as a value of a statement.
pub(super) fn bytes(hash: [u8; 32]) -> Value {
    hash.to_vec().into()
}

/// A count as the databases take it.
pub(super) fn natural(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn hash(row: &QueryResult, column: &str) -> Result<[u8; 32], StoreError> {
    row.try_get_by::<Vec<u8>, _>(column)?
        .try_into()
        .map_err(|_| StoreError::Corrupt(format!("{column} is no hash")))
}
