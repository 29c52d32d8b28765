//! A server whose database is gone for a while.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

use super::{ended_once, sleeper};
use crate::api::metrics;
use crate::harness::{Backend, Database, Site, free_address};
use crate::uws::{LONG, create};

/// Connections to PostgreSQL that can be cut.
struct Wire {
    address: SocketAddr,
    joined: Arc<watch::Sender<bool>>,
}

impl Wire {
    async fn to(server: String) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let joined = Arc::new(watch::Sender::new(true));
        let sender = Arc::clone(&joined);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut joined = sender.subscribe();
                if !*joined.borrow() {
                    continue;
                }
                let server = server.clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.expect("PostgreSQL");
                    tokio::select! {
                        // Whoever ends it, it is over.
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = joined.wait_for(|joined| !joined) => {}
                    }
                });
            }
        });
        Wire { address, joined }
    }

    fn join(&self, joined: bool) {
        self.joined.send_replace(joined);
    }
}

#[tokio::test]
async fn a_server_outlives_an_outage_of_its_database() {
    let database = Database::migrated().await;
    let mut url = Url::parse(&database.url()).unwrap();
    let wire = Wire::to(format!(
        "{}:{}",
        url.host_str().unwrap(),
        url.port().unwrap_or(5432)
    ))
    .await;
    url.set_ip_host(wire.address.ip()).unwrap();
    url.set_port(Some(wire.address.port())).unwrap();
    let internal = free_address();
    let settings = [
        ("SIDEREAL_DATABASE_URL", url.as_str()),
        ("SIDEREAL_INTERNAL_LISTEN", &internal),
    ];
    let site = Site::start_with(Backend::Cluster, &settings).await;
    let running = sleeper(&site, "2").await;
    site.wait(&running, "EXECUTING").await;
    let pending = create(&site, &[LONG]).await;
    metrics::until(&site, &internal, knows_the_queue).await;

    wire.join(false);
    let refused = site.get(&pending).await.expect(503);
    assert!(
        refused.text().starts_with("ServiceUnavailable: "),
        "{}",
        refused.text()
    );
    assert!(!refused.text().contains("postgres"), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    site.get("/readyz").await.expect(503);
    site.get("/livez").await.expect(200);
    let waiting = format!("{pending}?WAIT=50");
    site.get(&waiting).await.expect(503);
    // What it knew is no longer so; what it has counted is.
    metrics::until(&site, &internal, |text| {
        assert!(text.contains("sidereal_jobs_started_total"), "{text}");
        !text.contains("sidereal_jobs{") && !text.contains("sidereal_queue_oldest_seconds")
    })
    .await;

    wire.join(true);
    while site.get(&pending).await.status != 200 {}
    let jobs = [running, sleeper(&site, "0").await];
    ended_once(&site, &jobs).await;
    metrics::until(&site, &internal, knows_the_queue).await;
    // Wake-ups are heard again too.
    while site.get("/readyz").await.status != 200 {}
    assert!(!site.log().contains("panicked"), "{}", site.log());
}

fn knows_the_queue(text: &str) -> bool {
    text.contains("sidereal_jobs{") && text.contains("sidereal_queue_oldest_seconds{")
}
