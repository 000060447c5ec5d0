use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use redis::{Cmd, RedisError, RedisResult, Value};
use tower::Service;
use tower_failover::circuit_breaker::{Circuit, State};

/// What reached the client below the circuit.
#[derive(Debug, Default)]
pub struct Seen {
    errors: Mutex<BTreeMap<String, u64>>,
    probing: AtomicU64,
    most_probing: AtomicU64,
    probes: AtomicU64,
}

impl Seen {
    /// How often the client failed with this.
    pub fn errors(&self, code: &str) -> u64 {
        self.errors.lock().unwrap().get(code).copied().unwrap_or_default()
    }

    pub fn all_errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().unwrap().clone()
    }

    /// The most calls at a time that a half-open circuit let through.
    pub fn most_probing(&self) -> u64 {
        self.most_probing.load(SeqCst)
    }

    pub fn probes(&self) -> u64 {
        self.probes.load(SeqCst)
    }

    fn failed(&self, error: &RedisError) {
        let code = match error.code() {
            Some(code) => code.to_owned(),
            None if error.is_timeout() => "timed out".to_owned(),
            None if error.is_connection_refusal() => "refused".to_owned(),
            None if error.is_connection_dropped() => "dropped".to_owned(),
            None => format!("{:?}", error.kind()),
        };
        *self.errors.lock().unwrap().entry(code).or_default() += 1;
    }
}

/// A call that a half-open circuit let through.
struct Probe(Arc<Seen>);

impl Probe {
    fn begin(seen: &Arc<Seen>) -> Self {
        let now = seen.probing.fetch_add(1, SeqCst) + 1;
        seen.most_probing.fetch_max(now, SeqCst);
        seen.probes.fetch_add(1, SeqCst);
        Self(seen.clone())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.probing.fetch_sub(1, SeqCst);
    }
}

/// Stands between the circuit and the client and watches.
#[derive(Clone)]
pub(super) struct Tap<S> {
    inner: S,
    circuit: Circuit,
    seen: Arc<Seen>,
    is_confused: bool,
}

impl<S> Tap<S> {
    pub(super) const fn new(
        inner: S,
        circuit: Circuit,
        seen: Arc<Seen>,
        is_confused: bool,
    ) -> Self {
        Self { inner, circuit, seen, is_confused }
    }
}

impl<S> Service<Cmd> for Tap<S>
where
    S: Service<Cmd, Response = Value, Error = RedisError>,
    S::Future: Send + 'static,
{
    type Response = Value;
    type Error = RedisError;
    type Future = BoxFuture<'static, RedisResult<Value>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<RedisResult<()>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, cmd: Cmd) -> Self::Future {
        let probe = (self.circuit.state() == State::HalfOpen).then(|| Probe::begin(&self.seen));
        let (call, seen, is_confused) = (self.inner.call(cmd), self.seen.clone(), self.is_confused);
        Box::pin(async move {
            let result = call.await;
            drop(probe);
            let result = result.inspect_err(|error| seen.failed(error));
            if is_confused { result.map(|_| Value::Nil) } else { result }
        })
    }
}
