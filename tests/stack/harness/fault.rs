use std::time::{Duration, Instant};

use redis::Value;
use tokio::time::sleep;

use super::{
    Ground, PATIENCE,
    ground::{info, is_gone, is_stopped},
    lane::Work,
};
use crate::support::{Accept, Counts, Direction, Flow, Scope, wait_for_async};

/// What goes wrong. Each is injected, lasts, is healed, and leaves proof that it was real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The seeded bug of the harness itself: a fault that does not happen.
    Nothing,
    Kill,
    Stop,
    DebugSleep,
    ClientPause,
    Partition,
    /// Only the requests, or only the replies, are lost on the way.
    OneWay(Direction),
    Mute,
    Garbage,
    Cut,
    SilentDrop,
    Rotated,
    ReadOnly,
    MasterDown,
    Failover,
    Loading,
    Oom,
    Misconf,
    NoReplicas,
    Busy,
    MaxClients,
}

impl Fault {
    pub(super) const fn args(self) -> &'static [&'static str] {
        match self {
            Self::Loading => {
                &["--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"]
            }
            Self::Busy => &["--busy-reply-threshold", "5"],
            Self::Failover => &["--repl-diskless-sync-delay", "0"],
            _ => &[],
        }
    }

    pub(super) const fn needs_admin(self) -> bool {
        matches!(self, Self::DebugSleep | Self::Loading | Self::Busy | Self::MaxClients)
    }

    pub(super) const fn is_of_the_network(self) -> bool {
        matches!(
            self,
            Self::Partition
                | Self::OneWay(_)
                | Self::Mute
                | Self::Garbage
                | Self::Cut
                | Self::SilentDrop
        )
    }

    pub(super) const fn work(self) -> Work {
        match self {
            Self::ReadOnly | Self::Failover | Self::Oom | Self::Misconf | Self::NoReplicas => {
                Work::Write
            }
            Self::MasterDown | Self::Loading | Self::Busy => Work::Read,
            _ => Work::Echo,
        }
    }

    /// What the client must have been told, in each cycle, for the fault to be real.
    pub(super) const fn error(self) -> Option<&'static str> {
        match self {
            Self::ReadOnly => Some("READONLY"),
            Self::MasterDown => Some("MASTERDOWN"),
            Self::Loading => Some("LOADING"),
            Self::Oom => Some("OOM"),
            Self::Misconf => Some("MISCONF"),
            Self::NoReplicas => Some("NOREPLICAS"),
            Self::Busy => Some("BUSY"),
            _ => None,
        }
    }

    pub(super) async fn inject(self, ground: &mut Ground, length: Duration) {
        let text = length.as_millis().to_string();
        ground.counts = ground.proxy.counts();
        ground.turn += 1;
        let Ground { server, proxy, turn, .. } = &mut *ground;
        match self {
            Self::Nothing => {}
            Self::Kill => {
                let pid = server.pid();
                server.kill();
                assert!(is_gone(pid), "process {pid} was killed");
            }
            Self::Stop => {
                server.pause();
                assert!(is_stopped(server.pid()), "process {} was stopped", server.pid());
            }
            Self::DebugSleep => {
                let seconds = length.as_secs_f64().to_string();
                ground.begin(&["DEBUG", "SLEEP", &seconds]);
            }
            Self::ClientPause => drop(server.cli(&["CLIENT", "PAUSE", &text, "ALL"]).await),
            Self::Partition => proxy.set_both(Flow::Hold, Scope::All),
            Self::OneWay(direction) => proxy.set(direction, Flow::Hold, Scope::All),
            Self::Mute => {
                proxy.accept(Accept::Mute).await;
                proxy.set_both(Flow::Drop, Scope::Established);
            }
            Self::Garbage => proxy.set(Direction::ToClient, Flow::Garbage, Scope::All),
            Self::Cut => proxy.set(Direction::ToClient, Flow::CutAfter(3), Scope::All),
            Self::SilentDrop => proxy.set_both(Flow::Drop, Scope::Established),
            Self::Rotated => {
                let word = format!(">{turn}");
                server.cli(&["ACL", "SETUSER", "app", "resetpass", &word]).await;
                server.cli(&["CLIENT", "KILL", "USER", "app"]).await;
            }
            Self::ReadOnly | Self::MasterDown => {
                server.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
            }
            Self::Failover => drop(server.cli(&["FAILOVER"]).await),
            Self::Loading => ground.begin(&["DEBUG", "RELOAD", "NOSAVE"]),
            Self::Oom => drop(server.cli(&["CONFIG", "SET", "maxmemory", "1"]).await),
            Self::Misconf => {
                server.cli(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"]).await;
            }
            Self::NoReplicas => {
                server.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
            }
            Self::Busy => ground.begin(&["EVAL", "while true do end", "0"]),
            Self::MaxClients => {
                ground.ask(&["CONFIG", "SET", "maxclients", "1"]).await.unwrap();
                ground.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await.unwrap();
            }
        }
    }

    /// Ends the fault and says whether it was real, as far as the ground knows.
    pub(super) async fn heal(self, ground: &mut Ground, since: Instant, length: Duration) -> bool {
        let more = |count: fn(&Counts) -> u64, ground: &Ground| {
            count(&ground.proxy.counts()) > count(&ground.counts)
        };
        let Ground { server, replica, .. } = &mut *ground;
        match self {
            Self::Nothing => false,
            Self::Kill => {
                server.restart().await;
                true
            }
            Self::Stop => {
                server.resume();
                true
            }
            Self::DebugSleep => {
                ground.finish().await.is_ok_and(|ok| ok == Value::Okay) && since.elapsed() >= length
            }
            Self::ClientPause => {
                // A command waits until the pause is over.
                server.cli(&["PING"]).await;
                since.elapsed() >= length
            }
            Self::Partition | Self::OneWay(_) => {
                let held = more(|counts| counts.held, ground);
                ground.proxy.heal().await;
                held
            }
            Self::Mute => {
                let dropped = more(|counts| counts.dropped, ground);
                let muted = more(|counts| counts.muted, ground);
                ground.proxy.heal().await;
                dropped && muted
            }
            Self::Garbage => {
                let garbled = more(|counts| counts.garbled, ground);
                ground.proxy.heal().await;
                garbled
            }
            Self::Cut => {
                let cut = more(|counts| counts.cut, ground);
                ground.proxy.heal().await;
                cut
            }
            // New connections were fine all the time: whether anything was lost shows later.
            Self::SilentDrop => true,
            Self::Rotated => {
                *ground.vault.lock().unwrap() = ground.turn.to_string();
                true
            }
            Self::ReadOnly | Self::MasterDown => {
                server.cli(&["REPLICAOF", "NO", "ONE"]).await;
                true
            }
            Self::Failover => {
                let replica = replica.as_mut().expect("there is a pair");
                let master = async || info(replica, "replication").await.contains("role:master");
                wait_for_async(PATIENCE, "the replica was promoted", master).await;
                std::mem::swap(server, replica);
                true
            }
            Self::Loading => ground.finish().await.is_ok_and(|ok| ok == Value::Okay),
            Self::Oom => {
                server.cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
                true
            }
            Self::Misconf => {
                server.cli(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]).await;
                true
            }
            Self::NoReplicas => {
                server.cli(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
                true
            }
            Self::Busy => {
                let killed = server.cli(&["SCRIPT", "KILL"]).await == Value::Okay;
                killed && ground.finish().await.is_err()
            }
            Self::MaxClients => {
                ground.ask(&["CONFIG", "SET", "maxclients", "10000"]).await.unwrap();
                let stats: String =
                    redis::from_redis_value(ground.ask(&["INFO", "stats"]).await.unwrap()).unwrap();
                let number = |line: &str| line.strip_prefix("rejected_connections:")?.parse().ok();
                let rejected = stats.lines().find_map(number).unwrap_or(0);
                let before = std::mem::replace(&mut ground.rejected, rejected);
                rejected > before
            }
        }
    }

    /// What has to be in order before the next fault, which no promise of the stack depends on.
    pub(super) async fn settle(self, ground: &Ground) -> bool {
        match self {
            Self::Failover => {
                let replica = ground.replica.as_ref().expect("there is a pair");
                let up = async || info(replica, "replication").await.contains("link_status:up");
                wait_for_async(PATIENCE, "the old master follows", up).await;
                true
            }
            Self::SilentDrop => ground.proxy.counts().dropped > ground.counts.dropped,
            _ => true,
        }
    }

    /// How long it lasts in the rows, unless it ends by itself.
    pub const fn length(self) -> Duration {
        match self {
            Self::SilentDrop | Self::Failover => Duration::ZERO,
            _ => super::FAULT_FOR,
        }
    }

    pub(super) async fn last(self, length: Duration) {
        match self {
            Self::DebugSleep | Self::ClientPause | Self::Loading => {}
            _ => sleep(length).await,
        }
    }
}
