use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::net::{Shutdown, shutdown, sockopt::set_socket_linger};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};

use super::{
    counts::{Counts, Tally},
    line::{Direction, Faults, Flow, Line},
    port::Port,
};

/// Which connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those that are open and those to come.
    All,
    /// Those that are open.
    Established,
}

/// What happens to new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// They reach the server; if nobody listens there they are reset.
    Pass,
    /// They are refused: nobody listens.
    Refuse,
    /// They are accepted and reset.
    Reset,
    /// They are accepted and never answered.
    Mute,
}

/// A network that can be broken: forwards a free port of 127.0.0.1 to another one.
///
/// Its kernel acknowledges what it then holds or drops, so a client sees a mute peer and not a dead
/// network: `TCP_USER_TIMEOUT` never strikes. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    shared: Arc<Shared>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    tally: Tally,
}

#[derive(Debug)]
struct State {
    last_id: u64,
    upstream: u16,
    accept: Accept,
    faults: Faults,
    established: HashMap<u64, Established>,
    muted: JoinSet<()>,
}

/// An open connection, which is reset when this is dropped.
#[derive(Debug)]
struct Established {
    faults: watch::Sender<Faults>,
    _open: oneshot::Sender<()>,
}

impl Proxy {
    /// Forwards a free port to `upstream` and breaks nothing yet.
    ///
    /// # Panics
    ///
    /// When there is no free port, and outside of a tokio runtime.
    pub fn start(upstream: u16) -> Self {
        let state = State {
            last_id: 0,
            upstream,
            accept: Accept::Pass,
            faults: [(Flow::Pass, 0); 2],
            established: HashMap::new(),
            muted: JoinSet::new(),
        };
        let proxy = Self {
            port: Port::take(),
            shared: Arc::new(Shared { state: Mutex::new(state), tally: Tally::default() }),
            acceptor: Mutex::new(None),
        };
        proxy.listen();
        proxy
    }

    /// The port it listens on.
    pub const fn port(&self) -> u16 {
        self.port.number()
    }

    /// The URL of the server behind it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port())
    }

    /// Sends connections that are accepted from now on to another port.
    pub fn set_upstream(&self, port: u16) {
        self.shared.state().upstream = port;
    }

    /// Decides about the bytes of one direction.
    pub fn set(&self, direction: Direction, flow: Flow, scope: Scope) {
        let mut state = self.shared.state();
        let set = |faults: &mut Faults| {
            let (current, turn) = &mut faults[direction as usize];
            (*current, *turn) = (flow, *turn + 1);
        };
        if scope == Scope::All {
            set(&mut state.faults);
        }
        for connection in state.established.values() {
            connection.faults.send_modify(set);
        }
    }

    /// Decides about the bytes of both directions.
    pub fn set_both(&self, flow: Flow, scope: Scope) {
        self.set(Direction::ToServer, flow, scope);
        self.set(Direction::ToClient, flow, scope);
    }

    /// Decides about new connections. When it returns, nobody listens or somebody does.
    ///
    /// # Panics
    ///
    /// When the port cannot be listened on again.
    pub async fn accept(&self, accept: Accept) {
        self.shared.state().accept = accept;
        let acceptor = self.acceptor().take_if(|_| accept == Accept::Refuse);
        if let Some(acceptor) = acceptor {
            acceptor.abort();
            let _ = acceptor.await;
        }
        if accept != Accept::Refuse && self.acceptor().is_none() {
            self.listen();
        }
    }

    /// Lets everything pass again: held bytes arrive, lost ones do not.
    ///
    /// # Panics
    ///
    /// As [`accept`](Self::accept).
    pub async fn heal(&self) {
        self.set_both(Flow::Pass, Scope::All);
        self.accept(Accept::Pass).await;
    }

    /// Resets every open connection, once.
    pub fn reset_established(&self) {
        let mut state = self.shared.state();
        self.shared.tally.count(|counts| counts.broken += state.established.len() as u64);
        state.established.clear();
    }

    /// How many connections to the server are open.
    pub fn established(&self) -> usize {
        self.shared.state().established.len()
    }

    /// What really happened so far.
    pub fn counts(&self) -> Counts {
        self.shared.tally.get()
    }

    fn listen(&self) {
        let listener = self.port.listen().expect("the proxy's own port can be listened on");
        let accepting = accept_all(Listening(listener), Arc::clone(&self.shared));
        *self.acceptor() = Some(tokio::spawn(accepting));
    }

    fn acceptor(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor().take().inspect(JoinHandle::abort);
        let mut state = self.shared.state();
        state.accept = Accept::Refuse;
        state.established.clear();
        state.muted.abort_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops listening when dropped, even if a process that another thread just forked has a copy.
struct Listening(TcpListener);

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = shutdown(&self.0, Shutdown::Both);
    }
}

async fn accept_all(listener: Listening, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.0.accept().await else { continue };
        let mut state = shared.state();
        state.last_id += 1;
        let id = state.last_id;
        shared.tally.count(|counts| counts.accepted += 1);
        match state.accept {
            Accept::Pass => {
                let (faults, _) = watch::channel(state.faults);
                let (open, over) = oneshot::channel();
                let lines = [faults.subscribe(), faults.subscribe()];
                state.established.insert(id, Established { faults, _open: open });
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    connect(client, lines, over, &shared).await;
                    shared.state().established.remove(&id);
                });
            }
            Accept::Mute => {
                shared.tally.count(|counts| counts.muted += 1);
                state.muted.spawn(swallow(client));
            }
            Accept::Reset | Accept::Refuse => {
                shared.tally.count(|counts| counts.reset += 1);
                reset(client);
            }
        }
    }
}

async fn connect(
    mut client: TcpStream,
    [to_server, to_client]: [watch::Receiver<Faults>; 2],
    over: oneshot::Receiver<()>,
    shared: &Shared,
) {
    let upstream = shared.state().upstream;
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", upstream)).await else {
        shared.tally.count(|counts| counts.reset += 1);
        return reset(client);
    };
    let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let (from_client, client_half) = client.split();
    let (from_server, server_half) = server.split();
    let requests = Line::new(server_half, Direction::ToServer, to_server, &shared.tally);
    let replies = Line::new(client_half, Direction::ToClient, to_client, &shared.tally);
    let traffic =
        async { tokio::try_join!(requests.forward(from_client), replies.forward(from_server)) };
    tokio::select! {
        _ = traffic => {}
        _ = over => {
            reset(client);
            reset(server);
        }
    }
}

/// Closes with a reset instead of an end.
fn reset(stream: TcpStream) {
    let _ = set_socket_linger(&stream, Some(Duration::ZERO));
}

async fn swallow(mut stream: TcpStream) {
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}
