//! Behaviour of the built server, over SQLite and a folder and over PostgreSQL and S3. `make test` runs it.

mod engine;
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, unused_imports, unused_macros)]
mod harness;
mod layers;
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code)]
mod s3;
