//! Connections: as many at one time as are allowed, with a time for the head of each request.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::tls::Tls;

/// Connections at one time; further ones wait until one of them ends.
const CONNECTIONS: usize = 1024;
/// How long the head of a request may take, and a connection may be idle between two.
const HEAD: Duration = Duration::from_secs(15);
/// The most of a head, in bytes.
const HEAD_BYTES: usize = 32 << 10;
/// How long to wait where no connection can be taken, as when too many files are open.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections until `stop` comes; those that are there may end what they do, for so long.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    stop: impl Future<Output = ()>,
    stopping: watch::Sender<()>,
    stopping_time: Duration,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let taken = async {
            let place = room.clone().acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            taken = taken => taken,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (tls, router, mut stopped) = (tls.clone(), router.clone(), stopping.subscribe());
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            match tls {
                None => answer(stream, router, stopped).await,
                Some(tls) => {
                    let agreed = tokio::select! {
                        agreed = tls.accept(stream) => agreed,
                        _ = stopped.changed() => None,
                    };
                    if let Some(stream) = agreed {
                        answer(stream, router, stopped).await;
                    }
                }
            }
            drop(place);
        });
        // Those that have ended are let go.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = stopping.send(());
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(stopping_time, ended).await;
    connections.shutdown().await;
}

/// Answers the requests of a connection. What is wrong with it is known to who made it.
async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    mut stopped: watch::Receiver<()>,
) {
    let service =
        service_fn(move |request: hyper::Request<Incoming>| router.clone().oneshot(request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES.max(8 << 10))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
