//! Values on their way into rows and out of them.

use std::borrow::Cow;

use sea_orm::QueryResult;
use serde::Serialize;

use super::StoreError;
use crate::uws::{JobId, Timestamp};

pub(super) fn job_id(row: &QueryResult) -> Result<JobId, StoreError> {
    Ok(JobId(row.try_get_by("id")?))
}

pub(super) fn time(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millis(millis).ok_or_else(|| StoreError::Corrupt(format!("time {millis}")))
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
