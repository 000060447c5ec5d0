//! The rows of the table, and beside each its twin: the same check of a stack without the guard.

use tower_failover::redis::ConnectionPolicy;

use super::{
    harness::{Guarantee::*, *},
    support::Direction,
};

/// A server that is silent is noticed by a timeout, and no sooner.
const BY_TIMEOUT: std::time::Duration = BUDGET.saturating_add(ms(50));
/// A server that says no is back as soon as the circuit asks it again.
const ASKED_AGAIN: std::time::Duration = ms(100).saturating_add(OPEN_FOR);

const KILL: Row = Row::new("kill", Fault::Kill, ms(50), ms(250)).length(ms(100));
const STOP: Row = Row::new("SIGSTOP", Fault::Stop, BY_TIMEOUT, ms(250));
const SLEEP: Row = Row::new("DEBUG SLEEP", Fault::DebugSleep, BY_TIMEOUT, ms(250));
const PAUSE: Row = Row::new("CLIENT PAUSE", Fault::ClientPause, BY_TIMEOUT, ms(250));
const PARTITION: Row = Row::new("partition", Fault::Partition, BY_TIMEOUT, ms(250));
const NO_REQUESTS: Row =
    Row::new("no requests", Fault::OneWay(Direction::ToServer), BY_TIMEOUT, ms(250));
const NO_REPLIES: Row =
    Row::new("no replies", Fault::OneWay(Direction::ToClient), BY_TIMEOUT, ms(250));
const MUTE: Row = Row::new("mute", Fault::Mute, BY_TIMEOUT, ms(250));
const GARBAGE: Row = Row::new("garbage", Fault::Garbage, BY_TIMEOUT, ms(250));
const CUT: Row = Row::new("cut reply", Fault::Cut, BY_TIMEOUT, ms(250));
const SILENT_DROP: Row = Row::new("silent drop", Fault::SilentDrop, BY_TIMEOUT, ms(2_500));
const ROTATED: Row = Row::new("password rotated", Fault::Rotated, ms(50), ms(1_000));
const READONLY: Row = Row::new("READONLY", Fault::ReadOnly, ms(50), ms(500));
const MASTERDOWN: Row = Row::new("MASTERDOWN", Fault::MasterDown, ms(50), ms(500));
/// The old master is silent until it hands over: until then only a timeout tells.
const FAILOVER: Row = Row::new("FAILOVER", Fault::Failover, BY_TIMEOUT, ms(500));
const LOADING: Row = Row::new("LOADING", Fault::Loading, ms(20), ASKED_AGAIN);
const OOM: Row = Row::new("OOM", Fault::Oom, ms(20), ASKED_AGAIN);
const MISCONF: Row = Row::new("MISCONF", Fault::Misconf, ms(20), ASKED_AGAIN);
const NOREPLICAS: Row = Row::new("NOREPLICAS", Fault::NoReplicas, ms(20), ASKED_AGAIN);
const BUSY_SCRIPT: Row = Row::new("BUSY", Fault::Busy, ms(20), ASKED_AGAIN);
const MAXCLIENTS: Row = Row::new("maxclients", Fault::MaxClients, ms(20), ASKED_AGAIN);

fn whole(_: &Ground) -> Design {
    Design::whole()
}

/// The vault is asked for the password at each connect, which waits as it does by default.
fn asking_the_vault(ground: &Ground) -> Design {
    let policy = CONNECTION.backoff(ConnectionPolicy::BACKOFF);
    Design::client(Client::Asking(policy, ground.with_password_of_the_vault()))
}

fn asking_for_the_master(ground: &Ground) -> Design {
    Design::client(Client::Asking(CONNECTION, ground.to_the_master()))
}

fn without_timeout(_: &Ground) -> Design {
    Design::client(Client::Own(CONNECTION.response_timeout(PATIENCE)))
}

fn without_fallback(_: &Ground) -> Design {
    Design { falls_back: false, ..Design::whole() }
}

fn without_codes(_: &Ground) -> Design {
    Design::judge(Judge::OnlyIo)
}

fn never_giving_up_a_connection(_: &Ground) -> Design {
    Design::client(Client::Own(CONNECTION.never_reconnect_after_timeouts()))
}

fn over(client: Client) -> impl Fn(&Ground) -> Design {
    move |_| Design::client(client.clone())
}

const fn twin(row: Row) -> Row {
    row.cycles(3, 1)
}

/// Long enough for a call that hangs to be told from one that is late.
const fn long(row: Row) -> Row {
    row.cycles(2, 1).length(ms(800))
}

#[test]
fn a_killed_server() {
    run(KILL.cycles(20, 2), whole).holds();
}

#[test]
fn a_killed_server_twins() {
    run(long(KILL), over(Client::Manager)).violates(Budget);
    run(twin(KILL), over(Client::Multiplexed)).violates(Back);
    run(twin(KILL), without_fallback).violates(Answered);
}

#[test]
fn a_stopped_server() {
    run(STOP.cycles(100, 3), whole).holds();
}

#[test]
fn a_stopped_server_twins() {
    run(long(STOP), without_timeout).violates(Budget);
    run(long(STOP), over(Client::Manager)).violates(Budget);
}

#[test]
fn a_sleeping_server() {
    run(SLEEP.cycles(100, 3), whole).holds();
}

#[test]
fn a_sleeping_server_twin() {
    run(long(SLEEP), without_timeout).violates(Budget);
}

#[test]
fn paused_clients() {
    run(PAUSE.cycles(100, 3), whole).holds();
}

#[test]
fn paused_clients_twin() {
    run(long(PAUSE), without_timeout).violates(Budget);
}

#[test]
fn a_partition() {
    run(PARTITION.cycles(100, 3), whole).holds();
}

#[test]
fn a_partition_twin() {
    run(long(PARTITION), without_timeout).violates(Budget);
}

#[test]
fn a_partition_of_the_requests() {
    run(NO_REQUESTS.cycles(100, 3), whole).holds();
}

#[test]
fn a_partition_of_the_requests_twin() {
    run(long(NO_REQUESTS), without_timeout).violates(Budget);
}

#[test]
fn a_partition_of_the_replies() {
    run(NO_REPLIES.cycles(100, 3), whole).holds();
}

#[test]
fn a_partition_of_the_replies_twin() {
    run(long(NO_REPLIES), without_timeout).violates(Budget);
}

#[test]
fn a_mute_server() {
    run(MUTE.cycles(100, 3), whole).holds();
}

#[test]
fn a_mute_server_twins() {
    run(long(MUTE), without_timeout).violates(Budget);
    run(twin(MUTE), over(Client::Multiplexed)).violates(Back);
}

#[test]
fn garbage_replies() {
    run(GARBAGE.cycles(100, 3), whole).holds();
}

#[test]
fn garbage_replies_twin() {
    run(twin(GARBAGE), over(Client::QuickManager)).violates(Back);
}

#[test]
fn replies_cut_in_the_middle() {
    run(CUT.cycles(100, 3), whole).holds();
}

#[test]
fn replies_cut_in_the_middle_twin() {
    run(twin(CUT), over(Client::Multiplexed)).violates(Back);
}

#[test]
fn an_established_connection_dropped_in_silence() {
    run(SILENT_DROP.cycles(200, 3), whole).holds();
}

#[test]
fn an_established_connection_dropped_in_silence_twins() {
    run(twin(SILENT_DROP), never_giving_up_a_connection).violates(Back);
    run(twin(SILENT_DROP), over(Client::QuickManager)).violates(Back);
}

#[test]
fn a_rotated_password() {
    run(ROTATED.cycles(20, 4), asking_the_vault).holds();
}

/// The password of the start is in the URL.
#[test]
fn a_rotated_password_twin() {
    let knowing =
        |ground: &Ground| Design::client(Client::Asking(CONNECTION, ground.with_first_password()));
    run(twin(ROTATED), knowing).violates(Back);
}

#[test]
fn a_read_only_server() {
    run(READONLY.cycles(20, 2), whole).holds();
}

#[test]
fn a_read_only_server_twin() {
    run(twin(READONLY), without_codes).violates(Answered);
}

#[test]
fn a_replica_without_its_master() {
    run(MASTERDOWN.cycles(16, 2), whole).holds();
}

#[test]
fn a_replica_without_its_master_twin() {
    run(twin(MASTERDOWN), without_codes).violates(Answered);
}

#[test]
fn a_failover() {
    run(FAILOVER.cycles(16, 4), asking_for_the_master).holds();
}

/// Without a connector that looks for the master the old one is asked for ever.
#[test]
fn a_failover_twin() {
    run(twin(FAILOVER), whole).violates(Back);
}

#[test]
fn a_loading_server() {
    run(LOADING.cycles(20, 2), whole).holds();
}

#[test]
fn a_loading_server_twin() {
    run(twin(LOADING), without_codes).violates(Answered);
}

#[test]
fn a_server_out_of_memory() {
    run(OOM.cycles(20, 2), whole).holds();
}

#[test]
fn a_server_out_of_memory_twin() {
    run(twin(OOM), without_codes).violates(Answered);
}

#[test]
fn a_server_that_cannot_save() {
    run(MISCONF.cycles(20, 2), whole).holds();
}

#[test]
fn a_server_that_cannot_save_twin() {
    run(twin(MISCONF), without_codes).violates(Answered);
}

#[test]
fn a_server_without_replicas() {
    run(NOREPLICAS.cycles(20, 2), whole).holds();
}

#[test]
fn a_server_without_replicas_twin() {
    run(twin(NOREPLICAS), without_codes).violates(Answered);
}

#[test]
fn a_busy_server() {
    run(BUSY_SCRIPT.cycles(20, 1), whole).holds();
}

#[test]
fn a_busy_server_twin() {
    run(twin(BUSY_SCRIPT), without_codes).violates(Answered);
}

#[test]
fn a_full_server() {
    run(MAXCLIENTS.cycles(20, 2), whole).holds();
}

#[test]
fn a_full_server_twin() {
    run(twin(MAXCLIENTS), over(Client::Multiplexed)).violates(Back);
}

#[test]
fn too_many_probes_twin() {
    let probing = |_: &Ground| Design { circuit: CIRCUIT.probes(4), ..Design::whole() };
    run(twin(STOP), probing).violates(NoHerd);
}

/// The client is told of a lost connection, and sends nothing on it.
#[test]
fn a_killed_server_over_resp3() {
    run(KILL.over_resp3("kill, RESP3").cycles(20, 2), whole).holds();
}

#[test]
fn replies_cut_in_the_middle_over_resp3() {
    run(CUT.over_resp3("cut reply, RESP3").cycles(40, 2), whole).holds();
}

#[test]
fn a_mute_server_over_resp3() {
    run(MUTE.over_resp3("mute, RESP3").cycles(40, 2), whole).holds();
}

/// A hundredth of the wait between tries to connect.
#[test]
fn connecting_in_a_hot_loop_twin() {
    let hot = tower_failover::Backoff::fixed(RECONNECT / 100);
    run(twin(GARBAGE), move |_| Design::client(Client::Own(CONNECTION.backoff(hot))))
        .violates(NoHerd);
}

#[test]
fn answers_to_others_twin() {
    let confused = |_: &Ground| Design { is_confused: true, ..Design::whole() };
    run(twin(STOP), confused).violates(Right);
}

#[test]
fn a_circuit_that_never_opens_twin() {
    let manual = |_: &Ground| Design {
        circuit: tower_failover::circuit_breaker::Policy::manual(),
        ..Design::whole()
    };
    run(twin(OOM), manual).violates(Truth);
}

#[test]
fn a_forgotten_connection_twin() {
    run(twin(OOM), over(Client::Forgotten)).violates(NoLeak);
}

/// A row in which nothing happens proves nothing, and says so.
#[test]
fn no_fault_twin() {
    let nothing = Row::new("nothing", Fault::Nothing, BY_TIMEOUT, ms(250));
    run(twin(nothing), whole).violates(Happened);
}
