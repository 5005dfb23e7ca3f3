//! Settings of the server: where it listens, who may ask, how much it takes on.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::hosted::LoadError;
use super::token::Token;

/// Settings of a server; what is beyond a limit is refused with a status that says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Address and port, by default 127.0.0.1:8080; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What a client must show; needed where others than this machine can connect.
    pub token: Option<Token>,
    /// Whether every request is said.
    pub access_log: bool,
    /// Threads of the runtime, 1 or more, by default the machine's cores.
    pub threads: usize,
    /// Longest body [bytes], default 16 MiB; longer ones are refused with 413.
    pub max_body: usize,
    /// Most bytes of bodies in memory at a time, default 256 MiB; beyond, 503.
    pub max_held: usize,
    /// Most rows of a request, default 100,000; beyond, 413.
    pub max_rows: usize,
    /// Most predictions under way, default 256; beyond, 429.
    pub max_in_flight: usize,
    /// Most requests that wait for one model, default 256; beyond, 503.
    pub max_queue: usize,
    /// Most connections, default 1024; those beyond are told 503 and closed.
    pub max_connections: usize,
    /// Rows after which a batch is full, default 1024; large requests are computed in pieces of so many.
    pub batch_rows: usize,
    /// Longest wait for the header of a connection's first or next request, default 15 s; then it is closed.
    pub header_timeout: Duration,
    /// Longest wait for a body (408) and for an answer (503), default 10 s each.
    pub timeout: Duration,
    /// Longest wait for accepted requests when it stops, default 30 s.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            token: None,
            access_log: false,
            threads: thread::available_parallelism().map_or(2, usize::from),
            max_body: 16 << 20,
            max_held: 256 << 20,
            max_rows: 100_000,
            max_in_flight: 256,
            max_queue: 256,
            max_connections: 1024,
            batch_rows: 1024,
            header_timeout: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            drain: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// Finds what cannot be served.
    ///
    /// # Errors
    /// [`ServeError::Open`] or [`ServeError::Zero`].
    pub fn check(&self) -> Result<(), ServeError> {
        if !self.listen.ip().is_loopback() && self.token.is_none() {
            return Err(ServeError::Open { listen: self.listen });
        }
        let counts = [
            ("threads", self.threads),
            ("max-body", self.max_body),
            ("max-held", self.max_held),
            ("max-rows", self.max_rows),
            ("max-in-flight", self.max_in_flight),
            ("max-queue", self.max_queue),
            ("max-connections", self.max_connections),
            ("batch-rows", self.batch_rows),
        ];
        let zero = counts.into_iter().find(|(_, n)| *n == 0);
        zero.map_or(Ok(()), |(name, _)| Err(ServeError::Zero { name }))
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Occurs when others than this machine could ask without a token.
    #[error(
        "`{listen}` can be reached from other machines: give `--token-file FILE` or FADECAST_TOKEN, or listen on 127.0.0.1"
    )]
    Open {
        /// Address that was asked for.
        listen: SocketAddr,
    },
    /// Occurs when a limit is 0.
    #[error("`--{name}` must be 1 or more")]
    Zero {
        /// Name of the limit.
        name: &'static str,
    },
    /// Occurs when a token is too short to be secret, or no text of a header.
    #[error("a token needs {least} or more visible ASCII characters; make one with `openssl rand -hex 32`")]
    Token {
        /// Least length.
        least: usize,
    },
    /// Occurs when there is no model.
    #[error("nothing to serve: name a run")]
    NoModel,
    /// Occurs when two models have one name.
    #[error("two models are called `{name}`; give one of them another name: `OTHER=RUN`")]
    SameName {
        /// The name.
        name: String,
    },
    /// Occurs when a model cannot be loaded.
    #[error("cannot serve {name}")]
    Load {
        /// What was asked for: a name in backticks, or `the run`.
        name: String,
        /// Why not.
        #[source]
        source: LoadError,
    },
    /// Occurs when the address cannot be listened on.
    #[error("cannot listen on `{listen}`; does another program?")]
    Listen {
        /// Address that was asked for.
        listen: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Occurs when threads or signals are not to be had.
    #[error("the system gives the server no threads or signals")]
    Runtime(#[source] io::Error),
}

impl ServeError {
    /// Returns whether the command is wrong, and not what it asks for.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Load { .. } | Self::Listen { .. } | Self::Runtime(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_a_token_is_needed() {
        let mut settings = Settings::default();
        settings.check().unwrap();
        for open in ["0.0.0.0:80", "[::]:80", "192.168.0.7:80"] {
            settings.listen = open.parse().unwrap();
            assert!(matches!(settings.check(), Err(ServeError::Open { .. })), "{open}");
        }
        settings.token = Some(Token::new("0123456789abcdef").unwrap());
        settings.check().unwrap();
        settings.max_rows = 0;
        assert_eq!(settings.check().unwrap_err().to_string(), "`--max-rows` must be 1 or more");
    }
}
