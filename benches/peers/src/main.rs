//! The same work on other crates: nanoseconds a call, printed and written to `target/peers.json`.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml`
//!
//! The file is always written to the `target` directory of the main package, wherever cargo builds.
//! Its values are nanoseconds a call with the bare service included (`allocs_closed`: allocations);
//! a peer that cannot do a case is not in it.
//!
//! Every candidate gets the same service, which does nothing, and the same loop, which polls
//! readiness and then the response. Each is set up by its cheapest documented means, without
//! logging or metrics; the policies are the nearest to ours that it has.

#[path = "../../support/mod.rs"]
mod support;

mod breakers;
mod fallbacks;

use std::{
    fs,
    future::{Ready, ready},
    mem,
    path::Path,
    sync::LazyLock,
};

use serde_json::{Map, Value, json};
use support::{Candidate, Cost, measure, print};
use tokio::runtime::{Builder, Runtime};

/// All candidates of one case, the bare service first.
type Case<'a> = (String, Vec<Candidate<'a>>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("down")
    }
}

impl std::error::Error for Down {}

fn good(request: u64) -> Ready<Result<u64, Down>> {
    ready(Ok(request))
}

fn bad(_: u64) -> Ready<Result<u64, Down>> {
    ready(Err(Down))
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime")
});

thread_local! {
    /// This thread has entered the runtime: tower-resilience sleeps when two threads are refused at
    /// the same time, and seatbelt's clock is one of tokio.
    static INSIDE_RUNTIME: () = mem::forget(RUNTIME.enter());
}

fn main() {
    INSIDE_RUNTIME.with(|()| ());
    let mut file = Map::new();
    for (name, mut candidates) in breakers::cases().into_iter().chain(fallbacks::cases()) {
        let costs = measure(&mut candidates);
        print(&name, &costs);
        file.insert(name.clone(), row(&costs, |cost| Some((cost.nanos * 10.0).round() / 10.0)));
        if name == "closed_1t" {
            file.insert("allocs_closed".into(), row(&costs, |cost| cost.allocations));
        }
    }
    write(&Value::Object(file));
}

fn row(costs: &[Cost], value: impl Fn(&Cost) -> Option<f64>) -> Value {
    costs.iter().map(|cost| (cost.name.clone(), json!(value(cost)))).collect::<Map<_, _>>().into()
}

fn write(file: &Value) {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let path = target.join("peers.json");
    let text = serde_json::to_string_pretty(file).expect("numbers and names");
    fs::create_dir_all(&target).and_then(|()| fs::write(&path, text + "\n")).expect("writable");
    println!("written to {}", path.canonicalize().unwrap_or(path).display());
}
