//! Errors that are the caller's own: nothing moves.

use std::{
    io::Write,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use futures::future::join_all;
use redis::{Cmd, RedisError};
use tokio::runtime::Builder;
use tower::ServiceExt;
use tower_failover::circuit_breaker::State;

use super::{harness::*, support::RedisServer};

const ERRORS: u64 = 10_000;
const CALLERS: u64 = 16;

const COMMANDS: [(&str, &[&str]); 6] = [
    ("WRONGTYPE", &["LPUSH", "text", "1"]),
    ("ERR", &["SET", "alone"]),
    ("NOSCRIPT", &["EVALSHA", "0000000000000000000000000000000000000000", "0"]),
    ("MINE", &["EVAL", "return redis.error_reply('MINE of a script')", "0"]),
    ("NOPERM", &["DBSIZE"]),
    ("EXECABORT", &["EVAL", "return redis.error_reply('EXECABORT by hand')", "0"]),
];

/// What became of the calls and of the circuit.
#[derive(Debug, Default)]
struct Moved {
    errors: u64,
    others: u64,
    opened: usize,
    fell_back: u64,
    failures: u32,
}

async fn ask_wrongly(design: Design, errors: u64) -> Moved {
    let server = RedisServer::start().await;
    server.cli(&["SET", "text", "1"]).await;
    server.cli(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-dbsize"]).await;
    let lane = Lane::start(&design, server.url_as("app", "secret"), server.port()).await;
    let (stack, got) = (lane.stack(), &AtomicU64::new(0));
    join_all((0..CALLERS).map(|caller| {
        let stack = stack.clone();
        async move {
            for n in (caller..errors).step_by(CALLERS as usize) {
                let (code, words) = COMMANDS[n as usize % COMMANDS.len()];
                let mut command = Cmd::new();
                command.arg(words);
                let answer = stack.clone().oneshot(command).await;
                let error = answer.err().and_then(|error| error.downcast::<RedisError>().ok());
                if error.is_some_and(|error| error.code() == Some(code)) {
                    got.fetch_add(1, SeqCst);
                }
            }
        }
    }))
    .await;
    let snapshot = lane.circuit().snapshot();
    assert!(snapshot.state == State::Closed || lane.fell_back() > 0);
    drop(stack);
    let told = lane.seen().all_errors();
    let (got, fell_back) = (got.load(SeqCst), lane.fell_back());
    let record = lane.end(Vec::new()).await;
    assert_eq!((record.tasks_left, record.sockets_left), (0, 0));
    let moved = Moved {
        errors: got,
        others: errors - got,
        opened: record.transitions.len(),
        fell_back,
        failures: snapshot.consecutive_failures,
    };
    let _ = writeln!(std::io::stdout(), "row=caller's own {moved:?} told={told:?}");
    moved
}

fn run(design: Design, errors: u64) -> Moved {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(ask_wrongly(design, errors))
}

#[test]
fn errors_that_are_the_callers_own_move_nothing() {
    // Patient: a timeout on a busy machine would be no error of the caller's.
    let design = Design::client(Client::Own(CONNECTION.response_timeout(PATIENCE)));
    let moved = run(design, ERRORS);
    assert_eq!(moved.errors, ERRORS, "{moved:?}");
    let still = moved.others == 0 && moved.opened == 0 && moved.fell_back == 0;
    assert!(still && moved.failures == 0, "{moved:?}");
}

#[test]
fn errors_that_are_the_callers_own_move_nothing_twin() {
    let moved = run(Design::judge(Judge::Errors), 500);
    assert!(moved.opened > 0 && moved.fell_back > 0 && moved.others > 0, "{moved:?}");
}
