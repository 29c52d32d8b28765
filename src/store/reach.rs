//! Why Postgres cannot be used, said at once: a pool tries until its time is up, and then says only that it is.

use std::{io, time::Duration};

use sqlx::{ConnectOptions, Connection, Error, postgres::PgConnectOptions};

use super::StoreError;

/// Longest wait for a server that says nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects once and hangs up.
pub(super) async fn reach(options: &PgConnectOptions) -> Result<(), StoreError> {
    let connect = async { options.connect().await?.close().await };
    let why = match tokio::time::timeout(PATIENCE, connect).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => told(&error),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    Err(StoreError::Unreachable {
        place: place(options),
        why,
    })
}

/// Host and port, or the socket; nothing of the credentials.
fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// What happened, by SQLSTATE: the server's own words may be of any language.
fn told(error: &Error) -> String {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => "connection refused".into(),
        Error::Io(error) => error.to_string(),
        Error::Database(error) => {
            let kind = match error.code().as_deref() {
                Some("28000" | "28P01") => "authentication failed",
                Some("3D000") => "the database does not exist",
                _ => "refused",
            };
            format!("{kind} ({})", error.message())
        }
        other => other.to_string(),
    }
}
