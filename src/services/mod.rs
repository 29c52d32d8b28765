//! The job types: each folder has its service, its executor, and what belongs to it alone.
//!
//! Calls everything below: `jobs` and `engine` for the interface, `store`, `objects`, `fits` and `sky` for the work.

pub mod cutout;
pub mod echo;
