use std::{
    fs,
    sync::{Arc, Mutex},
};

use futures::FutureExt;
use redis::{Cmd, Connection, RedisResult, Value};
use tokio::task::{JoinHandle, spawn_blocking};
use tower::ServiceExt;
use tower_failover::redis::Connector;

use super::{PATIENCE, design::Asks, fault::Fault};
use crate::support::{Counts, Proxy, RedisServer, wait_for_async};

/// The server and the network of one stack, and what faults need to know of them.
pub struct Ground {
    pub server: RedisServer,
    /// The other one of a pair.
    pub replica: Option<RedisServer>,
    pub proxy: Proxy,
    /// The password as the connector knows it.
    pub vault: Arc<Mutex<String>>,
    pub(super) turn: u64,
    pub(super) admin: Option<Connection>,
    pub(super) running: Option<JoinHandle<RedisResult<Value>>>,
    pub(super) counts: Counts,
    pub(super) rejected: u64,
}

impl Ground {
    pub async fn start(fault: Fault) -> Self {
        let server = RedisServer::start_with(fault.args()).await;
        let mut ground = Self {
            proxy: Proxy::start(server.port()),
            server,
            replica: None,
            vault: Arc::new(Mutex::new("0".to_owned())),
            turn: 0,
            admin: None,
            running: None,
            counts: Counts::default(),
            rejected: 0,
        };
        ground.prepare(fault).await;
        ground
    }

    async fn prepare(&mut self, fault: Fault) {
        match fault {
            Fault::Loading => {
                self.server.cli(&["DEBUG", "POPULATE", "1000"]).await;
                self.server.cli(&["SAVE"]).await;
            }
            Fault::Misconf => {
                fs::create_dir_all(self.server.dir().join("dump.rdb/in the way")).unwrap();
                self.server.cli(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]).await;
                self.server.cli(&["CONFIG", "SET", "save", "3600 1"]).await;
                self.server.cli(&["BGSAVE"]).await;
                self.info_says("persistence", "rdb_last_bgsave_status:err").await;
            }
            Fault::MasterDown => {
                self.server.cli(&["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
            }
            Fault::Rotated => {
                self.server.cli(&["ACL", "SETUSER", "app", "on", ">0", "~*", "+@all"]).await;
            }
            Fault::Failover => {
                let replica = RedisServer::start_with(fault.args()).await;
                let port = self.server.port().to_string();
                replica.cli(&["REPLICAOF", "127.0.0.1", &port]).await;
                let up = async || info(&replica, "replication").await.contains("link_status:up");
                wait_for_async(PATIENCE, "the replica follows", up).await;
                self.replica = Some(replica);
            }
            _ => {}
        }
        if fault.needs_admin() {
            self.admin = Some(self.server.admin());
        }
    }

    /// Where the stack connects to.
    pub fn port(&self, fault: Fault) -> u16 {
        if fault.is_of_the_network() { self.proxy.port() } else { self.server.port() }
    }

    /// Its URL.
    pub fn url(&self, fault: Fault) -> String {
        if fault.is_of_the_network() { self.proxy.url() } else { self.server.url() }
    }

    /// A connector that asks the vault for the password each time.
    pub fn with_password_of_the_vault(&self) -> Asks {
        let (vault, port) = (self.vault.clone(), self.server.port());
        Arc::new(move || {
            let password = vault.lock().unwrap().clone();
            let url = format!("redis://app:{password}@127.0.0.1:{port}/");
            async move { Connector::open(url)?.oneshot(()).await }.boxed()
        })
    }

    /// A connector that knows the password of the start and no other.
    pub fn with_first_password(&self) -> Asks {
        let url = self.server.url_as("app", "0");
        Arc::new(move || {
            let url = url.clone();
            async move { Connector::open(url)?.oneshot(()).await }.boxed()
        })
    }

    /// A connector that looks for the master each time.
    pub fn to_the_master(&self) -> Asks {
        let other = self.replica.as_ref().expect("there is a pair");
        let urls = [self.server.url(), other.url()];
        Arc::new(move || {
            let urls = urls.clone();
            async move {
                for url in urls {
                    let mut connection = Connector::open(url)?.oneshot(()).await?;
                    let replication: String =
                        redis::cmd("INFO").arg("replication").query_async(&mut connection).await?;
                    if replication.contains("role:master") {
                        return Ok(connection);
                    }
                }
                Err((redis::ErrorKind::Io, "nobody is master").into())
            }
            .boxed()
        })
    }

    /// Starts a command on the connection that is open already, and does not wait for its end.
    pub(super) fn begin(&mut self, words: &[&str]) {
        let mut cmd = Cmd::new();
        cmd.arg(words);
        let mut admin = self.admin.take().expect("the fault has an open connection");
        self.running = Some(spawn_blocking(move || cmd.query(&mut admin)));
    }

    /// What the command that was begun came to.
    pub(super) async fn finish(&mut self) -> RedisResult<Value> {
        let running = self.running.take().expect("a command was begun");
        let answer = running.await.expect("a command does not panic");
        self.admin = Some(self.server.admin());
        answer
    }

    /// Runs a command on the connection that is open already.
    pub(super) async fn ask(&mut self, words: &[&str]) -> RedisResult<Value> {
        let mut cmd = Cmd::new();
        cmd.arg(words);
        let mut admin = self.admin.take().expect("the fault has an open connection");
        let (admin, answer) = spawn_blocking(move || {
            let answer = cmd.query(&mut admin);
            (admin, answer)
        })
        .await
        .expect("a command does not panic");
        self.admin = Some(admin);
        answer
    }

    pub(super) async fn info_says(&self, section: &str, what: &str) {
        let says = async || info(&self.server, section).await.contains(what);
        wait_for_async(PATIENCE, what, says).await;
    }
}

pub(super) async fn info(server: &RedisServer, section: &str) -> String {
    redis::from_redis_value(server.cli(&["INFO", section]).await).unwrap_or_default()
}

/// Whether the process is stopped.
pub(super) fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Whether there is no such process.
pub(super) fn is_gone(pid: u32) -> bool {
    !fs::exists(format!("/proc/{pid}")).unwrap_or(true)
}
