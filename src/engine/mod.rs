//! The job engine.

mod service;

pub use service::*;
/// x
pub struct Context;
