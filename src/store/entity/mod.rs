//! The tables as sea-orm sees them, for reads and filters.

pub(super) mod job;
pub(super) mod job_result;
