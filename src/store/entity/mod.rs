//! The tables as sea-orm sees them, for reads and filters.

pub(super) mod collection;
pub(super) mod collection_root;
pub(super) mod image;
pub(super) mod image_cell;
pub(super) mod job;
pub(super) mod job_result;
