//! What the internal listener tells Prometheus of the queue, the database and the process.

use std::time::Duration;

use crate::harness::{Backend, Site, free_address, on_both_back_ends, rewrite};
use crate::uws::{ABORT, LONG, RUN, create};

on_both_back_ends!(the_queue_is_measured);

/// Only to end a test that would hang.
const PATIENCE: Duration = Duration::from_mins(1);

async fn the_queue_is_measured(backend: Backend) {
    let internal = free_address();
    let settings = [
        ("SIDEREAL_INTERNAL_LISTEN", internal.as_str()),
        ("SIDEREAL_WORKERS", "1"),
    ];
    let site = Site::start_with(backend, &settings).await;
    until(&site, &internal, |text| depth(text) == ["0"; 4]).await;
    let running = create(&site, &[LONG, RUN]).await;
    site.wait(&running, "EXECUTING").await;
    let waiting = create(&site, &[RUN]).await;
    until(&site, &internal, |text| {
        depth(text) == ["1", "0", "1", "0"] && oldest(text) < 3_600.0
    })
    .await;
    let old = "UPDATE job SET creation_time = creation_time - 7200000, run_after = run_after - 7200000 \
        WHERE phase = 'QUEUED'";
    rewrite(site.store().await.url(), old).await;
    until(&site, &internal, |text| oldest(text) >= 7_200.0).await;
    for job in [&waiting, &running] {
        site.post(&format!("{job}/phase"), &[ABORT]).await.expect(303);
    }
    until(&site, &internal, |text| {
        depth(text) == ["0"; 4] && oldest(text) == 0.0
    })
    .await;

    let text = fetched(&site, &internal).await;
    let of_state = |state| {
        value(
            &text,
            &format!("sidereal_database_connections{{state=\"{state}\"}}"),
        )
    };
    let open = of_state("used").unwrap() + of_state("idle").unwrap();
    let most = value(&text, "sidereal_database_connections_max").unwrap();
    assert!(0.0 < open && open <= most, "{text}");
    assert_eq!(value(&text, "sidereal_jobs_reclaimed_total"), Some(0.0));
    for name in ["resident_memory_bytes", "open_fds", "max_fds"] {
        assert!(value(&text, &format!("process_{name}")).unwrap() > 0.0, "{text}");
    }
    // Each family once, as the format wants it.
    let mut families: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    families.sort_unstable();
    let all = families.len();
    families.dedup();
    assert_eq!(families.len(), all, "{text}");
}

/// Jobs of `echo` that are QUEUED, HELD, EXECUTING, SUSPENDED.
fn depth(text: &str) -> [&str; 4] {
    ["QUEUED", "HELD", "EXECUTING", "SUSPENDED"].map(|phase| {
        let series = format!("sidereal_jobs{{service=\"echo\",phase=\"{phase}\"}}");
        said(text, &series).unwrap_or_else(|| panic!("no {series} in {text}"))
    })
}

fn oldest(text: &str) -> f64 {
    value(text, "sidereal_queue_oldest_seconds{service=\"echo\"}").expect("a gauge")
}

/// What a series is now, if it is there.
pub fn value(text: &str, series: &str) -> Option<f64> {
    said(text, series).map(|number| number.parse().expect("a number"))
}

fn said<'a>(text: &'a str, series: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

/// The metrics at this address.
async fn fetched(site: &Site, internal: &str) -> String {
    let page = site.get(&format!("http://{internal}/metrics")).await.expect(200);
    page.text()
}

/// Fetches the metrics at this address until they are as wanted.
pub async fn until(site: &Site, internal: &str, wanted: impl Fn(&str) -> bool) {
    let mut text = String::new();
    // They are there to be fetched; the pauses leave the processor to the server.
    let mut turns = tokio::time::interval(Duration::from_millis(50));
    let fetching = async {
        loop {
            turns.tick().await;
            text = fetched(site, internal).await;
            if wanted(&text) {
                return;
            }
        }
    };
    let done = tokio::time::timeout(PATIENCE, fetching).await;
    assert!(done.is_ok(), "still {text}");
}
