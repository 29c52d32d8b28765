//! The IVOA's Universal Worker Service 1.1 (UWS) as plain types: no I/O, no HTTP, no SQL.
//!
//! Calls nothing of this crate. The standard: <https://www.ivoa.net/documents/UWS/20161024/>.

pub mod job;
pub mod json;
pub mod label;
pub mod parameters;
pub mod phase;
pub mod pieces;
pub mod time;
pub mod vosi;
pub mod votable;
pub mod xml;

pub use job::{ErrorKind, ErrorSummary, Job, JobId, JobInfo, JobRef, ResultRef};
pub use label::Label;
pub use parameters::{Parameter, ParameterValue, Parameters};
pub use phase::{Event, Phase};
pub use time::Timestamp;
