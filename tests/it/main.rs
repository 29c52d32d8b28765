//! Behaviour of the built server, over SQLite and a folder and over PostgreSQL and S3. `make test` runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod archive;
mod auth;
mod catalogue;
mod check;
mod cli;
mod clients;
mod crash;
mod cutout;
mod dashboard;
mod dashboard_faults;
mod deploy;
mod engine;
mod faults;
mod fits_oracle;
mod harness;
mod layers;
mod outputs;
mod preview;
mod readme;
#[expect(dead_code, reason = "the unit tests of `objects` use the rest")]
mod s3;
mod soda;
mod spt3g;
mod store;
mod store_model;
mod store_people;
mod store_upgrade;
mod uws;
mod vo;
mod web_app;
