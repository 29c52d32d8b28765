//! Serving connections: requests to the routes, answers back, and an end that lets open requests end.
//!
//! Not poem's own: that goes on with a connection whose answer has failed, which ends the answer as if it were whole
//! (poem 3.1.12). Here such a connection is closed, so that a client sees that something is missing.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use poem::{
    Endpoint,
    endpoint::BoxEndpoint,
    http,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::listen::{Connection, Gate};

/// Time that open requests get after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Requests of an HTTP/2 connection at once.
const STREAMS: u32 = 200;
/// Bytes of the headers of an HTTP/2 request.
const HEADERS: u32 = 16 << 10;

/// Serves the routes to the connections that the gate lets in, until `stop`: then no more are accepted, and requests that
/// are open get some time to end. From `draining` on answers say that no request should follow on their connection: one
/// that is on its way when all are closed would be lost.
pub async fn serve(
    mut gate: Gate,
    routes: BoxEndpoint<'static>,
    draining: CancellationToken,
    stop: CancellationToken,
) {
    let routes = Arc::new(routes);
    let (connections, over) = (TaskTracker::new(), CancellationToken::new());
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = gate.accept() => {
                // Why one was not, the gate has told.
                let Ok((io, local, remote, scheme)) = accepted else { continue };
                let (routes, over) = (Arc::clone(&routes), over.clone());
                let (draining, stop) = (draining.clone(), stop.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = connection(io, (local, remote, scheme), routes, draining, stop) => {}
                        () = over.cancelled() => {}
                    }
                });
            }
        }
    }
    drop(gate);
    connections.close();
    if timeout(GRACE, connections.wait()).await.is_err() {
        over.cancel();
        connections.wait().await;
    }
}

/// Where a connection is from, and what it came by.
type Origin = (LocalAddr, RemoteAddr, http::uri::Scheme);

async fn connection(
    io: Connection,
    origin: Origin,
    routes: Arc<BoxEndpoint<'static>>,
    draining: CancellationToken,
    stop: CancellationToken,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (routes, (local, remote, scheme)) = (Arc::clone(&routes), origin.clone());
        let draining = draining.clone();
        async move {
            // HTTP/2 has no such header.
            let one_by_one = request.version() < http::Version::HTTP_2;
            let answer = routes.get_response((request, local, remote, scheme).into());
            let mut answer: http::Response<_> = answer.await.into();
            if one_by_one && draining.is_cancelled() {
                let connection = answer.headers_mut().entry(http::header::CONNECTION);
                connection.or_insert(http::HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(io), service));
    // What becomes of it is the client's affair, or has been told where it happened.
    tokio::select! {
        ended = connection.as_mut() => return drop(ended),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}
