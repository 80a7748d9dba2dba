//! A TCP proxy on loopback between a client and a server: it delays, cuts, goes silent and loses answers, as networks do.
//!
//! It runs on a thread and runtime of its own. What it does is set from outside, at any time, for all its connections.
//! A cut can be aimed: [`Proxy::cut_after`] counts the bytes of one direction, so that a test can cut an exchange at
//! every byte of it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Code, Error, Result};

/// How much is read at once.
const PIECE: usize = 16 * 1024;

/// How many pieces may be under way in one direction of one connection.
const UNDER_WAY: usize = 1_024;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server: commands.
    ToServer,
    /// From the server to the client: answers.
    ToClient,
}

/// What happens when the bytes of [`Proxy::cut_after`] have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Every connection is closed.
    Close,
    /// Nothing passes any more, in either direction, until [`Proxy::heal`]; connections stay open.
    Silence,
}

/// A running proxy; it stops, and closes its connections, when dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

struct State {
    upstream: SocketAddr,
    rules: Mutex<Rules>,
    /// Whether nothing passes.
    silent: watch::Sender<bool>,
    /// Cancelled and made anew by every cut.
    cut: Mutex<CancellationToken>,
}

#[derive(Default)]
struct Rules {
    delay: Duration,
    refuses: bool,
    planned: Option<(Direction, u64, Cut)>,
    passed: [u64; 2],
    connections: u64,
}

impl Proxy {
    /// Starts in front of `upstream`, on a free port of 127.0.0.1.
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let refuse = |error: std::io::Error| {
            Error::new(
                Code::InvalidConfig,
                format!("the proxy cannot listen: {}", error.kind()),
            )
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(refuse)?;
        listener.set_nonblocking(true).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refuse)?;
        let state = Arc::new(State {
            upstream,
            rules: Mutex::default(),
            silent: watch::Sender::new(false),
            cut: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let (state_inside, stop_inside) = (state.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("nbhd-proxy".to_owned())
            .spawn(move || runtime.block_on(serve(listener, state_inside, stop_inside)))
            .map_err(refuse)?;
        Ok(Self {
            address,
            state,
            stop,
            thread: Some(thread),
        })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds everything that goes to the server back for so long: each round trip takes this much longer. Later bytes do
    /// not wait for earlier ones any longer than that.
    pub fn delay(&self, by: Duration) {
        self.state.rules().delay = by;
    }

    /// Closes every connection now. What is under way is lost. New connections are served.
    pub fn cut(&self) {
        self.state.cut_all();
    }

    /// Nothing passes any more, in either direction; connections stay open, new ones are accepted and get no answer.
    pub fn partition(&self) {
        self.state.silent.send_replace(true);
    }

    /// Closes every new connection as soon as it is made.
    pub fn refuse(&self) {
        self.state.rules().refuses = true;
        self.state.cut_all();
    }

    /// Everything passes again, also what was held back by a partition, and what was planned is forgotten.
    pub fn heal(&self) {
        {
            let mut rules = self.state.rules();
            rules.refuses = false;
            rules.planned = None;
        }
        self.state.silent.send_replace(false);
    }

    /// Lets exactly `bytes` more pass in this direction, over all connections, then does as `cut` says, once.
    pub fn cut_after(&self, direction: Direction, bytes: u64, cut: Cut) {
        self.state.rules().planned = Some((direction, bytes, cut));
    }

    /// Whether a planned cut has not happened yet.
    pub fn is_planned(&self) -> bool {
        self.state.rules().planned.is_some()
    }

    /// How many bytes have passed in this direction since the start.
    pub fn passed(&self, direction: Direction) -> u64 {
        self.state.rules().passed[direction as usize]
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> u64 {
        self.state.rules().connections
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({} → {})", self.address, self.state.upstream)
    }
}

impl State {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut_token(&self) -> MutexGuard<'_, CancellationToken> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut_all(&self) {
        std::mem::take(&mut *self.cut_token()).cancel();
    }

    /// Counts `bytes` that want to pass: how many of them may, what happens after them, and how long they are held back.
    fn pass(&self, direction: Direction, bytes: usize) -> (usize, Option<Cut>, Duration) {
        let mut rules = self.rules();
        let mut allowed = bytes;
        let mut end = None;
        if let Some((planned, left, cut)) = &mut rules.planned
            && *planned == direction
        {
            if *left <= bytes as u64 {
                allowed = *left as usize;
                end = Some(*cut);
            } else {
                *left -= bytes as u64;
            }
        }
        if end.is_some() {
            rules.planned = None;
        }
        rules.passed[direction as usize] += allowed as u64;
        let delay = match direction {
            Direction::ToServer => rules.delay,
            Direction::ToClient => Duration::ZERO,
        };
        (allowed, end, delay)
    }
}

#[expect(clippy::disallowed_types, reason = "the testkit is what listens")]
async fn serve(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, _)) = accepted else { continue };
        let refuses = {
            let mut rules = state.rules();
            rules.connections += 1;
            rules.refuses
        };
        if refuses {
            continue;
        }
        let (state, stop) = (state.clone(), stop.clone());
        tokio::spawn(async move {
            let cut = state.cut_token().clone();
            tokio::select! {
                () = relay(client, &state) => {}
                () = cut.cancelled() => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

/// One connection, until either side closes it.
#[expect(clippy::disallowed_types, reason = "the testkit connects on purpose")]
async fn relay(client: tokio::net::TcpStream, state: &State) {
    let Ok(server) = tokio::net::TcpStream::connect(state.upstream).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, state, Direction::ToServer) => {}
        () = pump(from_server, to_client, state, Direction::ToClient) => {}
    }
}

/// One direction of one connection.
async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    to: impl AsyncWriteExt + Unpin,
    state: &State,
    direction: Direction,
) {
    let (queue, pieces) = mpsc::channel(UNDER_WAY);
    let read = async move {
        let mut buffer = vec![0; PIECE];
        loop {
            let Ok(read @ 1..) = from.read(&mut buffer).await else {
                return;
            };
            let (allowed, end, delay) = state.pass(direction, read);
            let piece = Piece {
                bytes: buffer[..allowed].to_vec(),
                due: Instant::now() + delay,
                end,
            };
            if queue.send(piece).await.is_err() {
                return;
            }
        }
    };
    // When the reader ends, the queue does, and the writer after what is in it.
    tokio::join!(read, write(to, pieces, state));
}

struct Piece {
    bytes: Vec<u8>,
    due: Instant,
    end: Option<Cut>,
}

async fn write(mut to: impl AsyncWriteExt + Unpin, mut pieces: mpsc::Receiver<Piece>, state: &State) {
    let mut silent = state.silent.subscribe();
    while let Some(piece) = pieces.recv().await {
        tokio::time::sleep_until(piece.due).await;
        if silent.wait_for(|silent| !silent).await.is_err() || to.write_all(&piece.bytes).await.is_err() {
            return;
        }
        match piece.end {
            None => {}
            Some(Cut::Close) => {
                let _ = to.flush().await;
                state.cut_all();
            }
            Some(Cut::Silence) => {
                state.silent.send_replace(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// A server that answers every piece with the same piece.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut buffer = [0; 64];
                    while let Ok(read @ 1..) = stream.read(&mut buffer) {
                        if stream.write_all(&buffer[..read]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn ask(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
        stream.write_all(text.as_bytes())?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer)?;
        Ok(String::from_utf8(answer).unwrap())
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    #[test]
    fn it_passes_everything_and_counts_it() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        assert_eq!(ask(&mut stream, "hello").unwrap(), "hello");
        assert_eq!(ask(&mut stream, "you").unwrap(), "you");
        assert_eq!(
            (
                proxy.passed(Direction::ToServer),
                proxy.passed(Direction::ToClient)
            ),
            (8, 8)
        );
        assert_eq!(proxy.connections(), 1);
    }

    #[test]
    fn a_delay_is_added_to_each_round_trip() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        proxy.delay(Duration::from_millis(20));
        let began = std::time::Instant::now();
        for _ in 0..3 {
            ask(&mut stream, "x").unwrap();
        }
        assert!(began.elapsed() >= Duration::from_millis(60));
    }

    #[test]
    fn a_cut_closes_and_later_connections_are_served() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        ask(&mut stream, "x").unwrap();
        proxy.cut();
        assert!(ask(&mut stream, "x").is_err());
        assert_eq!(ask(&mut connect(&proxy), "again").unwrap(), "again");
        proxy.refuse();
        assert!(ask(&mut connect(&proxy), "x").is_err());
        proxy.heal();
        assert_eq!(ask(&mut connect(&proxy), "again").unwrap(), "again");
    }

    #[test]
    fn an_aimed_cut_lets_exactly_so_much_pass() {
        let proxy = Proxy::start(echo()).unwrap();
        for bytes in 0..4_u64 {
            let mut stream = connect(&proxy);
            ask(&mut stream, "ok").unwrap();
            proxy.cut_after(Direction::ToClient, bytes, Cut::Close);
            stream.write_all(b"hello").unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert_eq!(answer, &b"hello"[..bytes as usize]);
            assert!(!proxy.is_planned());
        }
    }

    #[test]
    fn a_partition_holds_back_what_a_healed_one_lets_pass() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        ask(&mut stream, "x").unwrap();
        proxy.partition();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(ask(&mut stream, "hello").is_err());
        proxy.heal();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
        proxy.cut_after(Direction::ToServer, 2, Cut::Silence);
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut answer[..2]).map_or_else(|_| (), |()| ());
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(stream.read(&mut answer).is_err());
    }
}
