//! What `Commands` says of a command, held against what the server says of it.

use std::io;

use redis::{Cmd, FromRedisValue, RedisError, Value, cmd, from_redis_value, pipe};
use tower_failover::{
    failover::{Repeat, Repeats},
    health::Health,
    redis::Commands,
};

use crate::support::RedisServer;

const COMMANDS: Commands = Commands::new();

/// In a group that is about one connection or server, and yet the same wherever they run.
const ANYWHERE: [&str; 6] = ["ping", "echo", "command", "publish", "spublish", "pubsub"];

/// A command of the server, or a part of one, as `COMMAND` describes it.
struct Described {
    name: String,
    flags: Vec<String>,
    groups: Vec<String>,
}

impl Described {
    fn command(&self) -> Cmd {
        let mut command = Cmd::new();
        self.name.split('|').for_each(|word| {
            command.arg(word);
        });
        command
    }

    fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|it| it == flag)
    }

    fn is_its_own(&self) -> bool {
        let first = self.name.split('|').next().unwrap();
        let in_group = |group: &&str| self.groups.iter().any(|it| it == group);
        let any = ["@blocking", "@connection", "@pubsub", "@transaction"].iter().any(in_group);
        (any || self.is("admin")) && !ANYWHERE.contains(&first)
    }

    fn repeat(&self) -> Repeat {
        COMMANDS.repeat(&self.command())
    }
}

fn at<T: FromRedisValue>(fields: &[Value], n: usize) -> T {
    from_redis_value(fields[n].clone()).unwrap()
}

fn describe(value: Value) -> Vec<Described> {
    let fields: Vec<Value> = from_redis_value(value).unwrap();
    let parts: Vec<Value> = if fields.len() > 9 { at(&fields, 9) } else { Vec::new() };
    if parts.is_empty() {
        vec![Described { name: at(&fields, 0), flags: at(&fields, 2), groups: at(&fields, 6) }]
    } else {
        parts.into_iter().flat_map(describe).collect()
    }
}

async fn all_commands() -> Vec<Described> {
    let server = RedisServer::start().await;
    let all: Vec<Value> = from_redis_value(server.cli(&["COMMAND"]).await).unwrap();
    all.into_iter().flat_map(describe).collect()
}

#[tokio::test]
async fn failover_promise_1_a_command_is_repeated_always_only_if_the_server_says_that_it_only_reads()
 {
    let all = all_commands().await;
    let always: Vec<_> = all.iter().filter(|it| it.repeat() == Repeat::Always).collect();
    for command in &always {
        assert!(command.is("readonly"), "{} has {:?}", command.name, command.flags);
    }
    assert!(always.len() >= 60, "{} of {}", always.len(), all.len());
}

#[tokio::test]
async fn failover_promise_1_a_command_of_one_connection_or_server_is_never_repeated() {
    let all = all_commands().await;
    let own: Vec<_> = all.iter().filter(|it| it.is_its_own()).collect();
    for command in &own {
        let mut blocking = command.command();
        if command.name.starts_with("xread") {
            blocking.arg(&["COUNT", "1", "block", "0", "STREAMS", "s", "$"]);
        }
        assert_eq!(COMMANDS.repeat(&blocking), Repeat::Never, "{}", command.name);
    }
    assert!(own.len() >= 30, "{} of {}", own.len(), all.len());
}

#[tokio::test]
async fn failover_promise_1_writes_and_scripts_and_what_is_unknown_are_repeated_if_they_were_not_applied()
 {
    let all = all_commands().await;
    let writes: Vec<_> = all.iter().filter(|it| it.is("write") && !it.is_its_own()).collect();
    assert!(writes.len() >= 60, "{} of {}", writes.len(), all.len());
    let names = writes.iter().map(|it| it.name.as_str());
    for name in names.chain(["EVAL", "EVALSHA", "FCALL", "SORT", "JSON.SET", "NOSUCH"]) {
        assert_eq!(COMMANDS.repeat(&cmd(name)), Repeat::IfNotApplied, "{name}");
    }
    assert_eq!(COMMANDS.repeat(&Cmd::new()), Repeat::IfNotApplied);
    assert_eq!(COMMANDS.repeat(cmd("OBJECT").arg("HELP")), Repeat::IfNotApplied);
}

#[test]
fn failover_promise_1_case_and_arguments_change_nothing_unless_they_make_it_block() {
    let read = |words: &[&str]| COMMANDS.repeat(Cmd::new().arg(words));
    assert_eq!(read(&["gEt", "BLOCK"]), Repeat::Always);
    assert_eq!(read(&["xinfo", "stream", "s"]), Repeat::Always);
    assert_eq!(read(&["XREAD", "COUNT", "1", "STREAMS", "block", "0"]), Repeat::Always);
    assert_eq!(read(&["XREAD", "BLOCK", "0", "STREAMS", "s", "0"]), Repeat::Never);
    let group = ["XREADGROUP", "GROUP", "g", "me", "STREAMS", "s", ">"];
    assert_eq!(read(&group), Repeat::IfNotApplied);
}

#[test]
fn what_the_caller_calls_idempotent_is_repeated_always() {
    let commands = Commands::new().idempotent(&["SET"]);
    assert_eq!(commands.repeat(cmd("set").arg("a").arg(1)), Repeat::Always);
    assert_eq!(commands.repeat(cmd("SETNX").arg("a").arg(1)), Repeat::IfNotApplied);
    assert_eq!(COMMANDS.repeat(cmd("set").arg("a").arg(1)), Repeat::IfNotApplied);
}

#[test]
fn failover_promise_1_a_pipeline_is_repeated_as_the_least_repeatable_of_its_commands() {
    let reads = pipe().get("a").hgetall("b").clone();
    assert_eq!(COMMANDS.repeat(&reads), Repeat::Always);
    assert_eq!(COMMANDS.repeat(reads.clone().atomic()), Repeat::Always);
    assert_eq!(COMMANDS.repeat(reads.clone().incr("a", 1).get("c")), Repeat::IfNotApplied);
    assert_eq!(COMMANDS.repeat(reads.clone().incr("a", 1).cmd("AUTH")), Repeat::Never);
    assert_eq!(COMMANDS.repeat(reads.clone().cmd("BLPOP").get("c")), Repeat::Never);
}

#[test]
fn a_copy_is_the_same_command() {
    let incr = cmd("INCRBY").arg("a").arg(7).clone();
    let copy = COMMANDS.copy(&incr).unwrap();
    assert_eq!(copy.get_packed_command(), incr.get_packed_command());
    let pipeline = pipe().atomic().incr("a", 1).get("b").clone();
    let copy = COMMANDS.copy(&pipeline).unwrap();
    assert_eq!(copy.get_packed_pipeline(), pipeline.get_packed_pipeline());
}

#[test]
fn failover_promise_1_a_script_may_have_run_whatever_it_answered() {
    let reply = redis::parse_redis_value(b"-READONLY no\r\n").unwrap().extract_error().unwrap_err();
    assert!(COMMANDS.may_have_run(&cmd("EVAL"), &reply));
    assert!(!COMMANDS.may_have_run(&cmd("INCR"), &reply));
    assert!(!COMMANDS.may_have_run(&pipe(), &reply));
}

#[test]
fn failover_promise_1_what_timed_out_may_have_run_and_what_was_refused_may_not() {
    let timed_out = RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
    assert!(COMMANDS.may_have_run(&cmd("INCR"), &timed_out));
    assert!(COMMANDS.may_have_run(&pipe(), &timed_out));
    let health = Health::new("redis");
    health.down("gone");
    let refused = health.refusal().unwrap();
    assert!(!COMMANDS.may_have_run(&cmd("EVAL"), &refused));
    assert!(!COMMANDS.may_have_run(&pipe(), &refused));
}
