//! Sidereal: a server that runs people's long jobs over the IVOA's Universal Worker Service and hands them the
//! results.
//!
//! The modules form layers; each may use any to its right, never one to its left or beside it in the same group:
//!
//! `cli · app · services · http · jobs · engine · auth · client deploy gerrit objects store notify · fits · net sky ·
//! uws · settings telemetry`

pub mod app;
pub mod auth;
pub mod cli;
pub mod client;
pub mod deploy;
pub mod engine;
pub mod fits;
pub mod http;
pub mod jobs;
pub mod net;
pub mod notify;
pub mod objects;
pub mod services;
pub mod settings;
pub mod sky;
pub mod store;
pub mod telemetry;
pub mod uws;
