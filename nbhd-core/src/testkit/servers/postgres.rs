//! A real PostgreSQL of one's own: its data in a folder of its own, on a free port of loopback, gone when dropped.
//!
//! PostgreSQL does not run as root: where we are, it runs as `postgres`, else `nobody`. The files of a fresh server are
//! made once per process and copied, which takes a tenth of the time.

#![expect(
    clippy::disallowed_methods,
    reason = "a server of one's own needs files of its own"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to start; after `kill -9` it first reads its log.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// How many ports are tried: another program may take one between the look and the start.
const PORTS: usize = 5;

/// What the server says when somebody else has its port.
const TAKEN: &str = "could not bind";

/// What the server says when it is ready, in its own language.
const READY: &str = "database system is ready to accept";

/// A running server. Its superuser is `nbhd`, with the password `nbhd` where one is asked for.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    port: u16,
    settings: Vec<(String, String)>,
    running: Option<Child>,
    _template: Arc<Template>,
}

impl PostgresServer {
    /// A server as it comes, and trusting whoever connects.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with settings of `postgresql.conf`, such as `("fsync", "off")`.
    ///
    /// Panics where PostgreSQL is not installed, with the name of the package.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let template = Template::of_this_process();
        let folder = fresh_folder("data");
        copy(&template.0, &folder);
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut server = Self {
            folder,
            port: free_port(),
            settings,
            running: None,
            _template: template,
        };
        for _ in 1..PORTS {
            if server.boots() {
                return server;
            }
            server.port = free_port();
        }
        assert!(server.boots(), "PostgreSQL finds no free port");
        server
    }

    /// Asks every connection for its password from now on; the server must be restarted.
    pub fn require_password(&self) {
        let rule = "host all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(self.folder.join("pg_hba.conf"), rule).expect("the server's folder is ours");
    }

    /// Gives it a certificate of its own for 127.0.0.1 and starts it again with TLS; answers the certificate's file.
    ///
    /// Panics where `openssl` is missing, which Debian's package of PostgreSQL brings along.
    pub fn encrypt(&mut self) -> PathBuf {
        let (certificate, key) = (self.folder.join("server.crt"), self.folder.join("server.key"));
        let output = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=nbhd",
            ])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl is installed: `apt-get install openssl`");
        assert!(
            output.status.success(),
            "openssl: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the key is ours");
        give(&certificate);
        give(&key);
        self.restart_with("ssl", "on");
        certificate
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder: for certificates and the like.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address of a store in the schema `schema` of its database.
    pub fn address(&self, schema: &str) -> String {
        self.address_at(self.port, schema)
    }

    /// The same through another port, where a proxy listens.
    pub fn address_at(&self, port: u16, schema: &str) -> String {
        format!("postgres://nbhd:nbhd@127.0.0.1:{port}/postgres?schema={schema}")
    }

    /// Kills every process of it, as a power cut would but for the caches of the system.
    pub fn kill9(&mut self) {
        let Some(mut postmaster) = self.running.take() else {
            return;
        };
        let first = pid(&postmaster);
        // It starts no more while we look who is there.
        let _ = kill_process(first, Signal::STOP);
        let children = children(first);
        for process in children.iter().copied().chain([first]) {
            let _ = kill_process(process, Signal::KILL);
        }
        let _ = postmaster.wait();
        let began = Instant::now();
        while children.iter().any(|child| lives(*child)) && began.elapsed() < STARTS_WITHIN {
            std::thread::yield_now();
        }
    }

    /// Stops it as an administrator would, sessions or not.
    pub fn stop(&mut self) {
        if let Some(mut postmaster) = self.running.take() {
            // "Fast" shutdown: https://www.postgresql.org/docs/15/server-shutdown.html
            let _ = kill_process(pid(&postmaster), Signal::INT);
            let _ = postmaster.wait();
        }
    }

    /// Starts it again on the same data and port, after stopping it if it runs.
    pub fn restart(&mut self) {
        self.stop();
        // Somebody may have its port for a moment.
        let began = Instant::now();
        while !self.boots() {
            assert!(
                began.elapsed() < STARTS_WITHIN,
                "PostgreSQL's port {} was taken",
                self.port
            );
        }
    }

    /// The same with one more setting.
    pub fn restart_with(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
        self.restart();
    }

    /// Every process of it stands still: it listens, and answers nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Runs SQL as the superuser; answers what it prints, rows as lines and columns parted by `|`.
    pub fn sql(&self, sql: &str) -> String {
        let output = Command::new(program("psql"))
            .args([
                "-X",
                "-q",
                "-t",
                "-A",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                "nbhd",
            ])
            .args(["-p", &self.port.to_string(), "-d", "postgres", "-c", sql])
            .env("PGPASSWORD", "nbhd")
            .output()
            .expect("psql stands beside postgres");
        assert!(
            output.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts it; false where its port is taken.
    fn boots(&mut self) -> bool {
        let socket = self.folder.join("socket");
        let _ = fs::create_dir(&socket);
        let mut command = Command::new(program("postgres"));
        command
            .arg("-D")
            .arg(&self.folder)
            .arg("-k")
            .arg("")
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .env("LC_ALL", "C")
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        as_nobody(&mut command);
        let mut postmaster = command.spawn().expect("postgres can be started");
        let (say, ready) = channel();
        let errors = postmaster.stderr.take().expect("its standard error was piped");
        std::thread::spawn(move || listen(errors, &say));
        let words = ready.recv_timeout(STARTS_WITHIN);
        self.running = Some(postmaster);
        let Some(log) = words.expect("PostgreSQL starts within a minute") else {
            return true;
        };
        self.kill9();
        assert!(log.contains(TAKEN), "PostgreSQL did not start:\n{log}");
        false
    }

    fn signal(&self, signal: Signal) {
        if let Some(postmaster) = &self.running {
            let first = pid(postmaster);
            let _ = kill_process(first, signal);
            for child in children(first) {
                let _ = kill_process(child, signal);
            }
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill9();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The files of a fresh server.
#[derive(Debug)]
struct Template(PathBuf);

impl Template {
    fn of_this_process() -> Arc<Self> {
        static MADE: Mutex<Weak<Template>> = Mutex::new(Weak::new());
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = made.upgrade() {
            return template;
        }
        let template = Arc::new(Self::make());
        *made = Arc::downgrade(&template);
        template
    }

    fn make() -> Self {
        let folder = fresh_folder("template");
        let password = folder.with_extension("password");
        fs::write(&password, "nbhd").expect("the temporary folder can be written");
        let mut command = Command::new(program("initdb"));
        command
            .arg("-D")
            .arg(&folder)
            .arg("--pwfile")
            .arg(&password)
            .args(["-U", "nbhd", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .args(["--no-sync", "--no-instructions", "--wal-segsize=1"])
            .current_dir(&folder)
            .env("LC_ALL", "C");
        as_nobody(&mut command);
        let output = command.output().expect("initdb stands beside postgres");
        let _ = fs::remove_file(&password);
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self(folder)
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Reads the log; says nothing when the server is ready, and the log when it ended before.
fn listen(errors: ChildStderr, say: &Sender<Option<String>>) {
    let mut log = String::new();
    let mut waiting = true;
    for line in BufReader::new(errors).lines() {
        let Ok(line) = line else { break };
        if waiting {
            log.push_str(&line);
            log.push('\n');
            if line.contains(READY) {
                waiting = false;
                let _ = say.send(None);
            }
        }
    }
    if waiting {
        let _ = say.send(Some(log));
    }
}

/// A program of PostgreSQL: the newest that Debian's packages put in place, else by the search path.
fn program(name: &str) -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let program = entry.path().join("bin").join(name);
            program.is_file().then_some((version, program))
        })
        .collect();
    found.sort();
    if let Some((_, program)) = found.pop() {
        return program;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| {
            panic!("PostgreSQL is not installed: `apt-get install postgresql` brings `{name}`")
        })
}

/// Whom the server runs as: nobody else where we are not root.
fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let accounts = fs::read("/etc/passwd").unwrap_or_default();
    let accounts = String::from_utf8_lossy(&accounts);
    let of = |name: &str| {
        let line = accounts
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(
        of("postgres")
            .or_else(|| of("nobody"))
            .unwrap_or((65_534, 65_534)),
    )
}

fn as_nobody(command: &mut Command) {
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
}

fn fresh_folder(name: &str) -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let folder = std::env::temp_dir().join(format!("nbhd-postgres-{process}-{number}-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the temporary folder can be written");
    give(&folder);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
    folder
}

/// Gives a file to whom the server runs as.
fn give(path: &Path) {
    if let Some((user, group)) = owner() {
        chown(path, Some(user), Some(group)).expect("root may give files away");
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the template is there").flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::create_dir(&target).expect("the folder is fresh");
            copy(&entry.path(), &target);
            fs::set_permissions(&target, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
        } else {
            fs::copy(entry.path(), &target).expect("the disk has room for a small database");
        }
        give(&target);
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|socket| socket.local_addr())
        .expect("loopback has a free port")
        .port()
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// The processes that a process started: those of PostgreSQL are in sessions of their own, no group holds them.
fn children(parent: Pid) -> Vec<Pid> {
    let path = format!("/proc/{0}/task/{0}/children", parent.as_raw_nonzero());
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .split_ascii_whitespace()
        .filter_map(|number| Pid::from_raw(number.parse().ok()?))
        .collect()
}

/// Whether a process runs: one that has ended and was not fetched does not.
fn lives(process: Pid) -> bool {
    let status = fs::read(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    // The state stands behind the name, which ends with the last parenthesis.
    status
        .rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
