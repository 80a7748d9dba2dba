//! A real `redis-server`.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long the server may take to answer after its start.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// How often it is asked meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// How many ports are tried: another program may take one between the look and the start.
const PORTS: usize = 5;

/// What the server does with its append-only file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedisFsync {
    /// There is none: the default of a Redis that nobody configured.
    None,
    /// Written once a second.
    EverySecond,
    /// Written before each answer.
    Always,
}

/// A running `redis-server` of its own, found in the `PATH` (Debian package `redis-server`).
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: PathBuf,
    settings: Vec<(String, String)>,
}

impl RedisServer {
    /// Starts a server; panics with the reason when there is none to start.
    pub fn start(fsync: RedisFsync) -> Self {
        Self::start_with(fsync, &[])
    }

    /// The same with further settings, as `redis.conf` names them.
    pub fn start_with(fsync: RedisFsync, settings: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("nbhd-redis-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let mut all: Vec<(String, String)> = match fsync {
            // Nothing is said about files: no append-only file, and snapshots now and then.
            RedisFsync::None => Vec::new(),
            RedisFsync::EverySecond => append("everysec"),
            RedisFsync::Always => append("always"),
        };
        all.extend(
            settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        for _ in 0..PORTS {
            let port = free_port();
            let mut child = spawn(port, &folder, &all);
            if answers(&mut child, port) {
                return Self {
                    child,
                    port,
                    folder,
                    settings: all,
                };
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!(
            "redis-server does not start: see {}",
            folder.join("log").display()
        );
    }

    /// The address of a store on this server: `redis://127.0.0.1:…/0`.
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it as `kill -9` does.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on its port and in its folder; ends it first if it runs.
    pub fn restart(&mut self) {
        self.kill9();
        let began = Instant::now();
        while began.elapsed() < STARTS_WITHIN {
            self.child = spawn(self.port, &self.folder, &self.settings);
            if answers(&mut self.child, self.port) {
                return;
            }
        }
        panic!(
            "redis-server does not start again: see {}",
            self.folder.join("log").display()
        );
    }

    /// Makes it hang: it runs no more, but its connections stay.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends a command by a connection of its own; answers what came back, in the words of the protocol without its marks.
    pub fn command(&self, words: &[&str]) -> String {
        ask(self.port, words).unwrap_or_else(|error| panic!("redis-server does not answer: {error}"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server is our child");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill9();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn append(fsync: &str) -> Vec<(String, String)> {
    vec![
        ("appendonly".to_owned(), "yes".to_owned()),
        ("appendfsync".to_owned(), fsync.to_owned()),
    ]
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port of loopback")
        .port()
}

fn spawn(port: u16, folder: &Path, settings: &[(String, String)]) -> Child {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        .arg("--logfile")
        .arg(folder.join("log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for (name, value) in settings {
        command.arg(format!("--{name}")).args(value.split(' '));
    }
    command.spawn().unwrap_or_else(|error| {
        panic!(
            "redis-server cannot be started ({}): install it, on Debian with `apt-get install redis-server`",
            error.kind()
        )
    })
}

/// Whether it answered before it ended and before our patience did.
fn answers(child: &mut Child, port: u16) -> bool {
    let began = Instant::now();
    while began.elapsed() < STARTS_WITHIN {
        if !matches!(child.try_wait(), Ok(None)) {
            return false;
        }
        if let Ok(answer) = ask(port, &["PING"])
            && !answer.starts_with("LOADING")
        {
            // Somebody else's server on this port would not be ours.
            return matches!(child.try_wait(), Ok(None));
        }
        std::thread::park_timeout(LOOK);
    }
    false
}

fn ask(port: u16, words: &[&str]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(STARTS_WITHIN))?;
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(request.as_bytes())?;
    read(&mut BufReader::new(stream))
}

/// One reply; the elements of an array each on a line.
fn read(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((mark, rest)) = line.split_at_checked(1) else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let length = rest.parse::<i64>().unwrap_or(-1);
    match mark {
        "$" if length >= 0 => {
            let mut bytes = vec![0; length as usize + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(length as usize);
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        "*" if length >= 0 => {
            let lines: std::io::Result<Vec<String>> = (0..length).map(|_| read(from)).collect();
            Ok(lines?.join("\n"))
        }
        _ => Ok(rest.to_owned()),
    }
}
