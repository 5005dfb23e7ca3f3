//! Connections: accepted up to a number, read not slower than allowed, finished before the server ends.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::{BoxError, Router};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::guard::Peer;
use super::hosted::Offer;
use super::refusal::Refusal;
use super::router::router;
use super::service::Service;
use super::settings::{ServeError, Settings};
use super::stop::{Stop, unless};
use super::{Say, reload};

/// Connections beyond the limit that are told so; those beyond these are closed without a word.
const TOLD: usize = 64;

/// Time in which a connection beyond the limit must have closed after it was told.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Time in which what lies in the system's buffers when the server stops is read: requests that were sent before.
const LINGER: Duration = Duration::from_millis(100);

/// Rest before the next connection where the system has no more files for one.
const REST: Duration = Duration::from_millis(50);

/// Connections that the system makes before we see them: a crowd that comes at once is not made to knock again after 1 s.
const BACKLOG: u32 = 4096;

/// Longest header of a request, and least buffer of a connection [bytes].
const MAX_HEADER: usize = 32 << 10;

/// Tells all connections that the server ends; each holds a receiver until it is closed.
type End = watch::Sender<bool>;

/// A server that listens, with its models loaded.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    end: End,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every accepted request was answered.
    Drained,
    /// The time for it was over.
    TimedOut,
    /// It was told to stop a second time.
    Told,
}

/// What all connections share.
struct Shared {
    service: Arc<Service>,
    router: Router,
    protocol: http1::Builder,
    places: Arc<Semaphore>,
    told: Arc<Semaphore>,
}

impl Server {
    /// Listens, then loads the models: connections made meanwhile wait in the system's queue. Needs a runtime around it.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn bind(settings: Settings, offers: Vec<Offer>, say: Say) -> Result<Self, ServeError> {
        settings.check()?;
        let listen = settings.listen;
        let failed = |source| ServeError::Listen { listen, source };
        let listener = listener(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let service = Arc::new(Service::start(settings, offers, say)?);
        let shared = Arc::new(Shared::new(service));
        Ok(Self { listener, address, shared, end: watch::channel(false).0 })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is asked to stop, then answers what it has accepted.
    pub async fn serve(self, mut stop: Stop) -> Ended {
        let Self { listener, address, shared, end } = self;
        let service = Arc::clone(&shared.service);
        (service.say)(&started(&service, address));
        let reloading = tokio::spawn(reload::watch(Arc::clone(&service)));
        unless(accept(&listener, &shared, &end), stop.asked(1)).await;
        service.drain();
        reloading.abort();
        // Connections that the system has made, but that we have not seen yet.
        while let Ok(Ok((stream, peer))) = timeout(Duration::ZERO, listener.accept()).await {
            shared.connect(stream, peer, &end);
        }
        drop(listener);
        (service.say)(&format!("stopping: {} connections to finish", end.receiver_count()));
        let ended = drain(&end, service.settings.drain, &mut stop).await;
        (service.say)(ended.text());
        ended
    }
}

fn listener(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Windows this would let two programs listen; elsewhere it lets a server begin where one has just ended.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

impl Ended {
    fn text(self) -> &'static str {
        match self {
            Self::Drained => "stopped: every accepted request was answered",
            Self::TimedOut => "stopped: some connections did not finish in time",
            Self::Told => "stopped at once, as told twice",
        }
    }
}

fn started(service: &Service, address: SocketAddr) -> String {
    let models =
        service.models.iter().map(|hosted| format!("{} ({})", hosted.name, hosted.model().card().run));
    let token = if service.settings.token.is_some() { "token needed" } else { "no token" };
    format!("serving http://{address} · {} · {token}", models.collect::<Vec<_>>().join(", "))
}

/// Waits for all connections, not longer than `limit` and until it is asked a second time.
async fn drain(end: &End, limit: Duration, stop: &mut Stop) -> Ended {
    let finish = async {
        sleep(LINGER).await;
        end.send_replace(true);
        end.closed().await;
    };
    match unless(timeout(limit, finish), stop.asked(2)).await {
        Some(Ok(())) => Ended::Drained,
        Some(Err(_)) => Ended::TimedOut,
        None => Ended::Told,
    }
}

/// Accepts connections for ever.
async fn accept(listener: &TcpListener, shared: &Arc<Shared>, end: &End) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => shared.connect(stream, peer, end),
            Err(_) => sleep(REST).await,
        }
    }
}

impl Shared {
    fn new(service: Arc<Service>) -> Self {
        let mut protocol = http1::Builder::new();
        protocol
            .timer(TokioTimer::new())
            .header_read_timeout(service.settings.header_timeout)
            .max_buf_size(MAX_HEADER);
        let router = router(Arc::clone(&service));
        let places = Arc::new(Semaphore::new(service.settings.max_connections));
        Self { service, router, protocol, places, told: Arc::new(Semaphore::new(TOLD)) }
    }

    /// Serves a connection, where there is a place for it.
    fn connect(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, end: &End) {
        // Answers are small: they must not wait for a packet to fill.
        let _ = stream.set_nodelay(true);
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.serve(stream, peer, place, end);
        } else if let Ok(place) = Arc::clone(&self.told).try_acquire_owned() {
            self.refuse(stream, place);
        }
    }

    fn serve(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit, end: &End) {
        let routes = TowerToHyperService::new(self.router.clone());
        let serve = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            routes.call(request)
        });
        let connection = self.protocol.serve_connection(TokioIo::new(stream), serve);
        let end = end.subscribe();
        let open = self.service.metrics.connections.clone();
        open.inc();
        tokio::spawn(async move {
            finish(connection, end).await;
            open.dec();
            drop(place);
        });
    }

    /// Tells a connection beyond the limit so.
    fn refuse(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        self.service.metrics.rejected("connections");
        tokio::spawn(async move {
            let _ = timeout(TOLD_WITHIN, tell(&stream)).await;
            drop(place);
        });
    }
}

/// Serves a connection to its end; when the server ends, to the end of the request that has come.
async fn finish<S>(connection: http1::Connection<TokioIo<TcpStream>, S>, mut end: watch::Receiver<bool>)
where
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<BoxError>,
{
    let (mut connection, mut ends) = (pin!(connection), pin!(end.wait_for(|ends| *ends)));
    let mut is_told = false;
    // A connection that breaks off is its client's affair.
    poll_fn(|cx| {
        // What lies in the system's buffer is read first: a request that has come is answered, not cut off.
        let read = connection.as_mut().poll(cx).map(drop);
        if read.is_ready() || is_told || ends.as_mut().poll(cx).is_pending() {
            return read;
        }
        is_told = true;
        connection.as_mut().graceful_shutdown();
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// Says that there are too many connections, whatever is asked, and reads on until the client has closed.
///
/// A connection that is closed with bytes unread is reset, and what it was told may be lost.
async fn tell(stream: &TcpStream) -> io::Result<()> {
    let refusal = Refusal::new(503, "connections", "too many connections; ask again in a second");
    let body = refusal.body().to_string();
    let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close";
    let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // A new connection's buffer is empty: all of it fits.
    stream.writable().await?;
    stream.try_write(text.as_bytes())?;
    let mut unread = [0; 4096];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut unread) {
            Ok(0) => return Ok(()),
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
            _ => {}
        }
    }
}
