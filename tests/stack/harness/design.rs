use std::sync::Arc;

use futures::future::BoxFuture;
use redis::{
    Cmd, RedisError, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_failover::{
    BoxError, CircuitBreakerLayer, Classify, ErrorsAreFailures, FallbackLayer, Outcome,
    circuit_breaker::{Circuit, Policy},
    event::Observer,
    fallback::{self, Served, Source},
    redis::{Connection, ConnectionPolicy, RedisService, Unavailable},
};

use super::{
    BUDGET, CIRCUIT, CONNECTION,
    tap::{Seen, Tap},
};

/// Makes a connection, each time anew.
pub type Asks =
    Arc<dyn Fn() -> BoxFuture<'static, RedisResult<MultiplexedConnection>> + Send + Sync>;

pub type Stacked = BoxCloneSyncService<Cmd, Served<Value>, BoxError>;

/// What is innermost.
#[derive(Clone)]
pub enum Client {
    /// Ours, to the URL of the row.
    Own(ConnectionPolicy),
    /// Ours, over a connector.
    Asking(ConnectionPolicy, Asks),
    /// Redis' own `ConnectionManager`, as it comes.
    Manager,
    /// Redis' own `ConnectionManager` with our timeout and no retries.
    QuickManager,
    /// Ours, of which one clone is forgotten.
    Forgotten,
    /// A bare connection with our timeout, which never comes back.
    Multiplexed,
}

/// What counts as a failure.
#[derive(Clone, Copy, Debug)]
pub enum Judge {
    Unavailable,
    /// Every error, the caller's own too.
    Errors,
    /// Trouble with the connection, but no error reply.
    OnlyIo,
}

impl Judge {
    fn of_redis(self, error: &RedisError) -> Outcome {
        match self {
            Self::Unavailable => Unavailable.classify(&Err::<(), _>(error.clone())),
            Self::Errors => Outcome::Failure,
            Self::OnlyIo if error.is_io_error() => Outcome::Failure,
            Self::OnlyIo => Outcome::Success,
        }
    }
}

impl<T> Classify<T, RedisError> for Judge {
    fn classify(&self, result: &Result<T, RedisError>) -> Outcome {
        result.as_ref().map_or_else(|error| self.of_redis(error), |_| Outcome::Success)
    }
}

impl<T> Classify<T, BoxError> for Judge {
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        let Err(error) = result else { return Outcome::Success };
        match error.downcast_ref() {
            Some(error) => self.of_redis(error),
            None => ErrorsAreFailures.classify(result),
        }
    }
}

/// How a stack is built: whole, or for a twin with a guard taken out.
#[derive(Clone)]
pub struct Design {
    pub client: Client,
    pub judge: Judge,
    pub circuit: Policy,
    pub falls_back: bool,
    /// Every answer is that to another question.
    pub is_confused: bool,
}

impl Design {
    pub fn whole() -> Self {
        Self {
            client: Client::Own(CONNECTION),
            judge: Judge::Unavailable,
            circuit: CIRCUIT,
            falls_back: true,
            is_confused: false,
        }
    }

    pub fn client(client: Client) -> Self {
        Self { client, ..Self::whole() }
    }

    pub fn judge(judge: Judge) -> Self {
        Self { judge, ..Self::whole() }
    }

    pub(super) async fn build(
        &self,
        url: &str,
        circuit: Circuit,
        seen: Arc<Seen>,
        observer: impl Observer + 'static,
    ) -> Stacked {
        let client = || redis::Client::open(url).unwrap();
        match &self.client {
            Client::Own(policy) => {
                let connection = Connection::open(url).unwrap().policy(*policy).spawn();
                self.own(connection, circuit, seen, observer).await
            }
            Client::Forgotten => {
                let connection = Connection::open(url).unwrap().policy(CONNECTION).spawn();
                std::mem::forget(connection.clone());
                self.own(connection, circuit, seen, observer).await
            }
            Client::Asking(policy, asks) => {
                let asks = asks.clone();
                let connector = service_fn(move |()| asks());
                let connection = Connection::builder("redis", connector).policy(*policy).spawn();
                self.own(connection, circuit, seen, observer).await
            }
            Client::Manager => {
                let manager = ConnectionManager::new(client()).await.unwrap();
                self.stack(manager, circuit, seen, observer)
            }
            Client::QuickManager => {
                let config = ConnectionManagerConfig::new()
                    .set_number_of_retries(0)
                    .set_response_timeout(Some(BUDGET));
                let manager = ConnectionManager::new_with_config(client(), config).await.unwrap();
                self.stack(manager, circuit, seen, observer)
            }
            Client::Multiplexed => {
                let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(BUDGET));
                let connection =
                    client().get_multiplexed_async_connection_with_config(&config).await.unwrap();
                self.stack(connection, circuit, seen, observer)
            }
        }
    }

    async fn own(
        &self,
        connection: Connection,
        circuit: Circuit,
        seen: Arc<Seen>,
        observer: impl Observer + 'static,
    ) -> Stacked {
        connection.wait_until_connected().await.unwrap();
        self.stack(connection, circuit, seen, observer)
    }

    fn stack<C>(
        &self,
        connection: C,
        circuit: Circuit,
        seen: Arc<Seen>,
        observer: impl Observer + 'static,
    ) -> Stacked
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let tap = Tap::new(RedisService::new(connection), circuit.clone(), seen, self.is_confused);
        let breaker = CircuitBreakerLayer::new(circuit).classify(self.judge).layer(tap);
        if !self.falls_back {
            let bare = breaker.map_response(|value| Served::new(value, Source::Primary));
            return BoxCloneSyncService::new(bare);
        }
        let fallback = FallbackLayer::new(fallback::from_fn(|_: &_| Ok(Value::Nil)))
            .classify(self.judge)
            .served()
            .observe(observer);
        BoxCloneSyncService::new(ServiceBuilder::new().layer(fallback).service(breaker))
    }
}
