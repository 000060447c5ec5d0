use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use redis::{Client, Cmd, Connection, RedisResult, Value};
use rustix::process::{Pid, test_kill_process};
use tokio::task::spawn_blocking;

use super::{
    port::Port,
    process::Process,
    wait::{holds_within, wait_for_async},
};

/// The user as which [`RedisServer::cli`] logs in, whatever happens to the default one.
const ADMIN: &str = "support:support";
const READY_WITHIN: Duration = Duration::from_secs(30);
const DOWN_WITHIN: Duration = Duration::from_secs(30);
const CLI_WITHIN: Duration = Duration::from_secs(60);
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// A `redis-server` of the test's own, killed when dropped and when the test process ends.
///
/// It listens on a free port of 127.0.0.1 that it keeps over restarts, persists nothing unless
/// told to, and keeps its files under the build directory, for an hour if the test panics. Arguments
/// are those of `redis-server`: `["--requirepass", "secret"]`, `["--appendonly", "yes"]`. Users other
/// than the default one are made by `ACL SETUSER`. `REDIS_SERVER` in the environment names another
/// binary.
#[derive(Debug)]
pub struct RedisServer {
    port: Port,
    dir: PathBuf,
    args: Vec<String>,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts a server with no arguments and waits until it answers.
    ///
    /// # Panics
    ///
    /// With the server's log when it does not.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with these arguments and waits until it answers.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(args: &[&str]) -> Self {
        loop {
            let mut server = Self {
                port: Port::take(),
                dir: fresh_dir(),
                args: args.iter().map(ToString::to_string).collect(),
                process: None,
            };
            server.launch();
            match server.ready().await {
                Ok(()) => return server,
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("redis-server did not get ready:\n{log}"),
            }
        }
    }

    /// Kills it if it runs, starts it on the same port with the same arguments, and waits until it
    /// answers.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) {
        self.kill();
        self.launch();
        self.wait_until_ready().await;
    }

    /// Restarts it with these arguments instead of the earlier ones.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn restart_with(&mut self, args: &[&str]) {
        self.args = args.iter().map(ToString::to_string).collect();
        self.restart().await;
    }

    /// Starts the killed server without waiting until it answers.
    ///
    /// # Panics
    ///
    /// When it runs, and when no binary is found.
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "the server on port {} runs already", self.port());
        let config = self.dir.join("redis.conf");
        let debug = if has_debug_switch(&self.dir) { "enable-debug-command yes\n" } else { "" };
        fs::write(
            &config,
            format!(
                "port {}\nbind 127.0.0.1\ndir {}\nsave \"\"\nappendonly no\ndaemonize no\n\
                 user support on >support ~* &* +@all\n{debug}",
                self.port(),
                self.dir.display(),
            ),
        )
        .expect("the server's directory can be written");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .expect("the server's directory can be written");
        let args = [config.into_os_string()].into_iter().chain(self.args.iter().map(Into::into));
        self.process = Some(Process::start(&binary(&self.dir), args, &log));
    }

    /// Waits until it answers PING with PONG, which it does not while it loads its data.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn wait_until_ready(&mut self) {
        if let Err(log) = self.ready().await {
            panic!("redis-server did not get ready:\n{log}");
        }
    }

    /// Kills it with SIGKILL and waits until it is gone; without effect when it is.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Waits until it has ended by itself, as it does after `SHUTDOWN`.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub async fn wait_until_down(&mut self) {
        wait_for_async(DOWN_WITHIN, "redis-server has ended", async || {
            self.process.as_mut().is_none_or(|process| process.ended().is_some())
        })
        .await;
        self.process = None;
    }

    /// Stops it with SIGSTOP: connections are accepted by the kernel and answered by nobody.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn pause(&self) {
        self.running().pause();
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn resume(&self) {
        self.running().resume();
    }

    /// The port it listens on, the same over restarts.
    pub const fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its process id.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// Where it keeps its files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Its URL, with the password of `--requirepass` if that was given.
    pub fn url(&self) -> String {
        let password = self.args.iter().skip_while(|arg| *arg != "--requirepass").nth(1);
        self.url_as("", password.map_or("", String::as_str))
    }

    /// Its URL with these credentials; no user is the default one, no password is none.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        url(
            &if password.is_empty() { String::new() } else { format!("{user}:{password}@") },
            self.port(),
        )
    }

    /// A blocking connection as administrator, for what has to stay open.
    ///
    /// # Panics
    ///
    /// When the server does not take it.
    pub fn admin(&self) -> Connection {
        admin(self.port(), CLI_WITHIN).expect("the server takes an admin connection")
    }

    /// Runs one command as administrator over a connection of its own.
    ///
    /// # Panics
    ///
    /// When the server answers with an error or not within a minute.
    pub async fn cli(&self, command: &[&str]) -> Value {
        self.try_cli(command)
            .await
            .unwrap_or_else(|error| panic!("{command:?} on the test's redis-server: {error}"))
    }

    /// Runs one command as administrator over a connection of its own.
    ///
    /// # Errors
    ///
    /// What the server or the connection answers.
    pub async fn try_cli(&self, command: &[&str]) -> RedisResult<Value> {
        let mut cmd = Cmd::new();
        cmd.arg(command);
        let port = self.port();
        spawn_blocking(move || cmd.query(&mut admin(port, CLI_WITHIN)?))
            .await
            .expect("a command does not panic")
    }

    /// Fails with the log once the process has ended or the deadline has passed.
    async fn ready(&mut self) -> Result<(), String> {
        let (port, pid) = (self.port(), self.pid());
        let mut ended = false;
        let decided = holds_within(READY_WITHIN, async || {
            ended = self.process.as_mut().is_none_or(|process| process.ended().is_some());
            ended || spawn_blocking(move || answers(port, pid)).await.unwrap_or(false)
        });
        if decided.await && !ended {
            return Ok(());
        }
        self.process = None;
        Err(self.log())
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("the server runs")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// Whether the server with this pid, and no other that was given the port, answers on it.
fn answers(port: u16, pid: u32) -> bool {
    let ask = || -> RedisResult<String> {
        let mut connection = admin(port, Duration::from_secs(1))?;
        Cmd::new().arg("PING").query::<()>(&mut connection)?;
        Cmd::new().arg("INFO").arg("server").query(&mut connection)
    };
    ask().is_ok_and(|info| info.lines().any(|line| line == format!("process_id:{pid}")))
}

fn admin(port: u16, within: Duration) -> RedisResult<Connection> {
    let client = Client::open(url(&format!("{ADMIN}@"), port))?;
    let connection = client.get_connection_with_timeout(within)?;
    connection.set_read_timeout(Some(within))?;
    Ok(connection)
}

fn url(credentials: &str, port: u16) -> String {
    format!("redis://{credentials}127.0.0.1:{port}/")
}

/// A directory beside the binaries of the build, `target/<profile>/redis/<pid>-<n>`.
fn fresh_dir() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let exe = env::current_exe().expect("a process knows its executable");
    let all = exe.ancestors().nth(2).expect("binaries lie in the build directory").join("redis");
    if n == 0 {
        remove_old(&all);
    }
    let dir = all.join(format!("{}-{n}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the build directory can be written");
    dir
}

/// Removes what processes left behind that were killed or had failed tests, an hour later.
fn remove_old(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
        let runs = pid.and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid).is_ok());
        let modified = entry.metadata().and_then(|data| data.modified()).ok();
        let age = modified.and_then(|at| at.elapsed().ok()).unwrap_or_default();
        if !runs && age > KEPT_FOR {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// `redis-server`, or the file of Debian's redis-tools that is the server when called by that name.
fn binary(dir: &Path) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let named = env::var_os("REDIS_SERVER").map(PathBuf::from);
    let installed = env::split_paths(&path).map(|dir| dir.join("redis-server"));
    if let Some(found) = named.into_iter().chain(installed).find(|file| file.is_file()) {
        return found;
    }
    let tools = Path::new("/usr/bin/redis-check-rdb");
    assert!(
        tools.is_file(),
        "these tests start a redis-server of their own: install it (`apt-get install redis-server`, \
         `dnf install redis`, `apk add redis` or `brew install redis`)"
    );
    let link = dir.join("redis-server");
    if !link.exists() {
        symlink(tools, &link).expect("the server's directory can be written");
    }
    link
}

/// Redis 7 allows DEBUG only with a switch that earlier servers do not know.
fn has_debug_switch(dir: &Path) -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let output =
            Command::new(binary(dir)).arg("--version").output().expect("redis-server runs");
        let version = String::from_utf8_lossy(&output.stdout);
        let major = version.split_once("v=").and_then(|(_, rest)| rest.split('.').next());
        major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 7)
    })
}
