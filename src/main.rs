//! The program `sidereal`: reads the command line and hands it to the library.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use sidereal::cli::Cli;

/// Keeps what is freed for the next tile or answer.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // An error means that there is a provider already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("sidereal: no threads to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(cli.run());
    // What is still blocked somewhere has been given its time.
    runtime.shutdown_background();
    code
}
