//! Behaviour of the built server, over SQLite and a folder and over PostgreSQL and S3. `make test` runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod catalogue;
mod cli;
mod clients;
mod crash;
mod engine;
#[allow(dead_code, unused_imports, unused_macros)]
mod harness;
mod layers;
mod readme;
#[allow(dead_code)]
mod s3;
mod store;
mod store_model;
mod uws;
