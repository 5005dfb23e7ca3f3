//! The server: models answer over HTTP until they are told to stop.
//!
//! ```text
//! connection -> router -> guard: host, token -> form: JSON, Arrow, Parquet -> question: rows of the model's inputs
//!            -> queue: rows of concurrent requests in one call of the model -> answers -> JSON, CSV, Arrow, Parquet
//! ```
//!
//! Everything that a client can make grow has a limit of [`Settings`]. A request that was accepted is answered, whatever
//! is reloaded or stopped meanwhile: it keeps the model that it was asked of. The library prints nothing; what is worth
//! a line goes to a [`Say`].

mod answer;
mod batch;
mod body;
mod forecast;
mod form;
#[cfg(test)]
mod fuzz;
mod guard;
mod hosted;
mod listen;
mod metrics;
mod model;
mod openapi;
mod page;
mod predict;
mod question;
mod refusal;
mod reload;
mod router;
mod rows;
#[cfg(test)]
mod sample;
mod service;
mod settings;
mod source;
mod stop;
mod table;
#[cfg(test)]
mod tests;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Builder;

pub use hosted::{LoadError, Offer, Source};
pub use listen::{Ended, Server};
pub use model::{Answers, Card, Column, Model, OfCell, Values};
pub use refusal::Refusal;
pub use settings::{ServeError, Settings};
pub use source::offer;
pub use stop::Stop;
pub use token::Token;

/// Takes a line that is worth reading: a start, a reload, a stop, a request.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// Serves until SIGTERM or Ctrl-C, then answers what it has accepted; a second signal ends it at once.
///
/// `listening` is told the address when requests are answered.
///
/// # Errors
/// [`ServeError`] where it cannot start.
pub fn run(
    settings: Settings,
    offers: Vec<Offer>,
    say: Say,
    listening: impl FnOnce(SocketAddr),
) -> Result<Ended, ServeError> {
    let n_threads = settings.threads;
    let runtime = Builder::new_multi_thread()
        .worker_threads(n_threads)
        .max_blocking_threads(n_threads)
        .thread_name("fadecast-serve")
        .enable_io()
        .enable_time()
        .build()
        .map_err(ServeError::Runtime)?;
    let ended = runtime.block_on(async {
        // Signals first: one that comes while models are loaded is heeded when they are.
        let stop = Stop::at_signals().map_err(ServeError::Runtime)?;
        let server = Server::bind(settings, offers, say)?;
        listening(server.address());
        Ok(server.serve(stop).await)
    });
    runtime.shutdown_background();
    ended
}
