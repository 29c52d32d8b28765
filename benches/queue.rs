//! Claims and finishes jobs of a PostgreSQL queue through the library's own store, and says how many a second.
//!
//! `queue statements` prints the two statements as JSON, for pgbench; `queue migrate URL` makes the tables;
//! `queue run URL CLIENTS BATCH JOBS` works JOBS jobs off, BATCH with each claim, and prints jobs per second.
//! `claims.py` calls it.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, bail};
use mimalloc::MiMalloc;
use sidereal::store::{
    Dialect, Ending, Finish, Store, WorkerId,
    queue::{CLAIM, FINISH},
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// The server's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Jobs of each client before the clock starts: connections are made, statements prepared.
const WARM_UP: i64 = 50;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn command(arguments: &[&str]) -> anyhow::Result<()> {
    match arguments {
        ["statements"] => {
            let [claim, finish] = [CLAIM, FINISH].map(|statement| statement.of(Dialect::Postgres));
            println!("{}", serde_json::json!({"claim": claim, "finish": finish}));
        }
        ["migrate", url] => Store::open(url).await?.migrate().await?,
        ["run", url, clients, batch, jobs] => {
            let clients: i64 = clients.parse().context("CLIENTS")?;
            let (batch, jobs) = (batch.parse().context("BATCH")?, jobs.parse().context("JOBS")?);
            let store = Store::open(url).await?;
            work(&store, clients, batch, clients * WARM_UP.max(i64::from(batch))).await?;
            let start = Instant::now();
            let done = work(&store, clients, batch, jobs).await?;
            println!("{:.1}", done as f64 / start.elapsed().as_secs_f64());
        }
        _ => bail!("queue statements | migrate URL | run URL CLIENTS BATCH JOBS"),
    }
    Ok(())
}

/// Works at least `jobs` jobs off; gives how many they were.
async fn work(store: &Store, clients: i64, batch: u32, jobs: i64) -> anyhow::Result<i64> {
    let left = Arc::new(AtomicI64::new(jobs));
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (store, left) = (store.clone(), Arc::clone(&left));
        tasks.spawn(async move {
            let worker = WorkerId(Uuid::now_v7());
            let services = ["echo".to_owned()];
            let mut done = 0;
            while left.fetch_sub(i64::from(batch), Ordering::Relaxed) > 0 {
                let claimed = store.claim(worker, &services, u64::from(batch)).await?;
                if claimed.is_empty() {
                    bail!("the queue is empty");
                }
                let finishes: Vec<Finish> = claimed
                    .iter()
                    .map(|claimed| Finish {
                        lease: claimed.lease,
                        ending: Ending::Completed,
                    })
                    .collect();
                let ended = store.finish(&finishes).await?;
                if ended.len() != finishes.len() {
                    bail!("a lease was lost");
                }
                done += ended.len() as i64;
            }
            Ok(done)
        });
    }
    let mut done = 0;
    while let Some(of_client) = tasks.join_next().await {
        done += of_client??;
    }
    Ok(done)
}
