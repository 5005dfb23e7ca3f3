//! When the server is to stop: first in order, then at once.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use tokio::sync::watch;

/// How often the server was asked to stop: once, it finishes what it has accepted; twice, it ends.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<u32>);

impl Stop {
    /// Returns a stop and what asks for it: send 1, then 2.
    pub fn by_hand() -> (watch::Sender<u32>, Self) {
        let (ask, asked) = watch::channel(0);
        (ask, Self(asked))
    }

    /// Returns a stop that SIGTERM and Ctrl-C ask for; to be called inside a runtime.
    ///
    /// # Errors
    /// Where the system gives no signals.
    pub fn at_signals() -> io::Result<Self> {
        let (ask, stop) = Self::by_hand();
        listen(&ask)?;
        Ok(stop)
    }

    /// Waits until it was asked `times` times; for ever where nobody can ask any more.
    pub async fn asked(&mut self, times: u32) {
        if self.0.wait_for(|n| *n >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
fn listen(ask: &watch::Sender<u32>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, ask) = (signal(kind)?, ask.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                ask.send_modify(|n| *n += 1);
            }
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn listen(ask: &watch::Sender<u32>) -> io::Result<()> {
    let ask = ask.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            ask.send_modify(|n| *n += 1);
        }
    });
    Ok(())
}

/// Returns the value of whichever is ready first, `None` where that is `other`.
pub(super) async fn unless<T>(one: impl Future<Output = T>, other: impl Future<Output = ()>) -> Option<T> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => other.as_mut().poll(cx).map(|()| None),
    })
    .await
}
