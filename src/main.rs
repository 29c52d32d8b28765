//! The program `sidereal`: reads the command line and hands it to the library.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use sidereal::cli::Cli;
use tokio::runtime::Builder;

/// Keeps what is freed for the next tile or answer.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Threads for what blocks. The runtime starts another whenever none rests just then, up to 512, and each keeps memory: what
/// stores thousands of small files a second had all of them, and 400 MB in them.
const BLOCKING: usize = 64;

fn main() -> ExitCode {
    // An error means that there is a provider already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build();
    let runtime = match runtime {
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
