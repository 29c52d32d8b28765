//! `/api/v1`, the content of results, events, logs, and what the server's edge lets in.

mod content;
mod edge;
pub mod events;
mod jobs;
mod log;
pub mod metrics;
