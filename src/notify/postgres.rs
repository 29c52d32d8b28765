//! Hints between replicas over Postgres's LISTEN and NOTIFY.
//!
//! A NOTIFY serialises commits, so hints are gathered for a moment and sent in one statement of their own, outside of
//! any transaction. When Postgres is away hints are dropped; the polls behind them catch up.

use std::{collections::HashSet, str::FromStr, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{sync::mpsc, task::JoinHandle, time};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Change, Notifier};
use crate::uws::JobId;

const CHANNEL: &str = "sidereal";
/// How long hints are gathered.
const GATHER: Duration = Duration::from_millis(10);
/// Pause after a failed connection.
const RETRY: Duration = Duration::from_secs(1);
/// A payload holds less than 8,000 bytes; a hint takes up to 34.
const HINTS_A_PAYLOAD: usize = 200;
/// More hints than this at once are sent as one `Resync`.
const MAX_HINTS: usize = 5_000;

impl Notifier {
    /// Joins this notifier with those of other replicas on the same database, until `stop`.
    pub async fn connect(&self, url: &str, stop: CancellationToken) -> Result<JoinHandle<()>, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(2).connect(url).await?;
        let listener = listen(&pool).await?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let me = Uuid::now_v7();
        let notifier = self.clone();
        let first = self.0.remote.set(sender).is_ok();
        debug_assert!(first, "a notifier is connected once");
        Ok(tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = receive(&notifier, &pool, listener, me) => {}
                () = send(&pool, receiver, me) => {}
            }
        }))
    }
}

async fn listen(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

async fn receive(notifier: &Notifier, pool: &PgPool, mut listener: PgListener, me: Uuid) {
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) => {
                for change in read(notification.payload(), me) {
                    notifier.deliver(change);
                }
            }
            // The connection was lost, and hints with it.
            Ok(None) => notifier.deliver(Change::Resync),
            Err(error) => {
                tracing::warn!(%error, "wake-ups of other replicas are not heard; polling instead");
                listener = loop {
                    time::sleep(RETRY).await;
                    if let Ok(listener) = listen(pool).await {
                        break listener;
                    }
                };
                notifier.deliver(Change::Resync);
            }
        }
    }
}

async fn send(pool: &PgPool, mut receiver: mpsc::UnboundedReceiver<Change>, me: Uuid) {
    let mut hints = HashSet::new();
    loop {
        if hints.is_empty() {
            let Some(change) = receiver.recv().await else {
                return;
            };
            hints.insert(change);
        }
        time::sleep(GATHER).await;
        while let Ok(change) = receiver.try_recv() {
            if hints.len() <= MAX_HINTS {
                hints.insert(change);
            }
        }
        if hints.len() > MAX_HINTS {
            hints.clear();
            hints.insert(Change::Resync);
        }
        let changes: Vec<Change> = hints.drain().collect();
        let payloads: Vec<String> = changes
            .chunks(HINTS_A_PAYLOAD)
            .map(|changes| write(changes, me))
            .collect();
        let sent = sqlx::query("SELECT pg_notify($1, payload) FROM unnest($2) AS payload")
            .bind(CHANNEL)
            .bind(payloads)
            .execute(pool)
            .await;
        if let Err(error) = sent {
            tracing::warn!(%error, "other replicas were not woken; they poll");
            time::sleep(RETRY).await;
            // What was lost is made good by a look at everything.
            hints.insert(Change::Resync);
        }
    }
}

/// The sender, then a letter and an id for each hint.
fn write(changes: &[Change], me: Uuid) -> String {
    let hints = changes.iter().map(|change| match change {
        Change::Job(id) => format!(",j{}", id.0.simple()),
        Change::Stopped(id) => format!(",s{}", id.0.simple()),
        Change::Limit(id) => format!(",l{}", id.0.simple()),
        Change::Queue => ",q".into(),
        Change::Workers => ",w".into(),
        Change::Resync => ",r".into(),
    });
    std::iter::once(me.simple().to_string()).chain(hints).collect()
}

/// The hints of another sender; what cannot be read comes from another version and is worth a look around.
fn read(payload: &str, me: Uuid) -> Vec<Change> {
    let mut parts = payload.split(',');
    if parts.next().and_then(|sender| Uuid::from_str(sender).ok()) == Some(me) {
        return Vec::new();
    }
    parts
        .map(|part| {
            let id = part.get(1..).and_then(|id| Uuid::from_str(id).ok()).map(JobId);
            match (part.get(..1), id) {
                (Some("j"), Some(id)) => Change::Job(id),
                (Some("s"), Some(id)) => Change::Stopped(id),
                (Some("l"), Some(id)) => Change::Limit(id),
                (Some("q"), None) => Change::Queue,
                (Some("w"), None) => Change::Workers,
                _ => Change::Resync,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_read_as_written_and_ones_own_are_not() {
        let (me, other) = (Uuid::now_v7(), Uuid::now_v7());
        let hints = vec![
            Change::Job(JobId::new()),
            Change::Stopped(JobId::new()),
            Change::Limit(JobId::new()),
            Change::Queue,
            Change::Workers,
            Change::Resync,
        ];
        assert_eq!(read(&write(&hints, other), me), hints);
        assert!(read(&write(&hints, me), me).is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_a_resync() {
        let me = Uuid::now_v7();
        assert_eq!(read("x,znonsense", me), [Change::Resync]);
        assert_eq!(read("x,j123,é", me), [Change::Resync, Change::Resync]);
    }

    #[test]
    fn a_full_payload_fits() {
        let hints: Vec<Change> = (0..HINTS_A_PAYLOAD).map(|_| Change::Job(JobId::new())).collect();
        assert!(write(&hints, Uuid::now_v7()).len() < 8_000);
    }
}
