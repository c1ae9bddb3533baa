//! Connections: as many at one time as are allowed, from all and from one address, with a time for the head of each
//! request and for whoever does not read the answer.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
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
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::metrics::Metrics;
use super::tls::Tls;

/// Connections at one time; further ones wait until one of them ends.
const CONNECTIONS: usize = 1024;
/// How long the head of a request may take, and a connection may be idle between two.
const HEAD: Duration = Duration::from_secs(15);
/// The most of a head, in bytes.
const HEAD_BYTES: usize = 32 << 10;
/// How long to wait where no connection can be taken, as when too many files are open.
const PAUSE: Duration = Duration::from_millis(50);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many there may be from one address.
    pub(super) per_address: usize,
    /// How long a client may take nothing of its answer.
    pub(super) reading: Duration,
    /// How long those that are there may go on when no more are taken.
    pub(super) stopping: Duration,
}

/// How many connections there are, by address.
#[derive(Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One of the connections of an address.
struct Held(Arc<Addresses>, IpAddr);

impl Addresses {
    /// One more of an address; none where it has as many as are allowed.
    fn hold(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Held> {
        let address = host(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Held(self.clone(), address))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Whose an address is: of IPv6 one customer of a provider has at least a network of 64 bits.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Takes connections until `stop` comes; those that are there may end what they do.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    stop: impl Future<Output = ()>,
    stopping: watch::Sender<()>,
    limits: Limits,
    metrics: &Metrics,
) {
    let addresses = Arc::<Addresses>::default();
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
        let Ok((stream, peer)) = stream else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(held) = addresses.hold(peer.ip(), limits.per_address) else {
            metrics.refused_connection();
            continue;
        };
        let (tls, router, mut stopped) = (tls.clone(), router.clone(), stopping.subscribe());
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            match tls {
                None => answer(stream, router, limits.reading, stopped).await,
                Some(tls) => {
                    let agreed = tokio::select! {
                        agreed = tls.accept(stream) => agreed,
                        _ = stopped.changed() => None,
                    };
                    if let Some(stream) = agreed {
                        answer(stream, router, limits.reading, stopped).await;
                    }
                }
            }
            drop((place, held));
        });
        // Those that have ended are let go.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = stopping.send(());
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limits.stopping, ended).await;
    connections.shutdown().await;
}

/// Answers the requests of a connection. What is wrong with it is known to who made it.
async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    reading: Duration,
    mut stopped: watch::Receiver<()>,
) {
    let mut stream = Box::pin(TimeoutStream::new(stream));
    stream.as_mut().set_write_timeout_pinned(Some(reading));
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn an_address_has_so_many_connections_at_one_time() {
        let addresses = Arc::<Addresses>::default();
        let hold = |address: &str| addresses.hold(address.parse().unwrap(), 2);
        let first = hold("192.0.2.1");
        // As a socket for both versions sees it.
        let second = hold("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some() && hold("192.0.2.1").is_none());
        let other = hold("192.0.2.2");
        assert!(other.is_some());
        drop(first);
        assert!(hold("192.0.2.1").is_some());
        let network = [hold("2001:db8::1"), hold("2001:db8::2")];
        assert!(network.iter().all(Option::is_some) && hold("2001:db8::3").is_none());
        assert!(hold("2001:db8:0:1::1").is_some());
        drop((second, other, network));
        assert!(addresses.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_let_go() {
        let long = axum::routing::get(|| async { "x".repeat(1 << 20) });
        let (mut client, stream) = tokio::io::duplex(1 << 10);
        let (_stopping, stopped) = watch::channel(());
        let router = Router::new().route("/", long);
        let answering = tokio::spawn(answer(stream, router, Duration::from_millis(100), stopped));
        client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), answering).await.unwrap().unwrap();
        // What was written before it was let go.
        let mut taken = Vec::new();
        client.read_to_end(&mut taken).await.unwrap();
        assert!(taken.starts_with(b"HTTP/1.1 200 OK") && taken.len() <= 1 << 10);
    }
}
