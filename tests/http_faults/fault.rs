use std::time::Duration;

use tokio::net::TcpStream;

use crate::{
    call::PATIENCE,
    origin::{Mode, Origin},
    support::{Accept, Counts, Direction, Flow, Proxy, Scope},
};

/// What goes wrong. Each is injected, lasts, is healed, and leaves proof that it was real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    CutHead,
    CutBody,
    /// Connections are refused, for longer than some pages may be stale.
    Outage,
    Refused,
    Mute,
    /// The requests or the replies, by turns.
    Held,
    Garbage,
    Delayed,
    Unavailable,
    Endless,
    Killed,
}

/// Bytes of a connection that arrive before it is cut: too few for a head, or enough for a head and
/// too few for a body.
const IN_THE_HEAD: u64 = 60;
const IN_THE_BODY: u64 = 1000;

/// An origin behind a network.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) origin: Origin,
    pub(crate) proxy: Proxy,
    counts: Counts,
    answered: u64,
    turn: usize,
}

impl Ground {
    pub(crate) fn start() -> Self {
        let origin = Origin::start();
        let proxy = Proxy::start(origin.port());
        Self { origin, proxy, counts: Counts::default(), answered: 0, turn: 0 }
    }

    async fn refuses(port: u16) -> bool {
        TcpStream::connect(("127.0.0.1", port)).await.is_err()
    }
}

impl Fault {
    pub(crate) const fn length(self) -> Duration {
        Duration::from_millis(match self {
            Self::Outage => 2_500,
            // So long that as many calls as open the circuit get no answer in time.
            Self::Mute | Self::Held | Self::Delayed => 700,
            // So long that callers give bodies up.
            Self::Endless => 600,
            Self::CutHead
            | Self::CutBody
            | Self::Refused
            | Self::Garbage
            | Self::Unavailable
            | Self::Killed => 250,
        })
    }

    /// How long after it the origin is still left alone, besides the open time.
    pub(crate) const fn goes_on_for(self) -> Duration {
        match self {
            // Says so.
            Self::Unavailable => Duration::from_secs(1),
            // A page whose body is being read is not asked for again.
            Self::Endless => PATIENCE,
            Self::CutHead
            | Self::CutBody
            | Self::Outage
            | Self::Refused
            | Self::Mute
            | Self::Held
            | Self::Garbage
            | Self::Delayed
            | Self::Killed => Duration::ZERO,
        }
    }

    /// Whether the circuit is sure to open. Bodies that their callers give up are no failures.
    pub(crate) const fn opens(self) -> bool {
        !matches!(self, Self::Endless)
    }

    /// Says whether the fault has begun, as far as that shows at once.
    pub(crate) async fn inject(self, ground: &mut Ground) -> bool {
        let Ground { origin, proxy, counts, answered, turn } = ground;
        *counts = proxy.counts();
        *answered = origin.unavailable() + origin.endless();
        *turn += 1;
        match self {
            Self::CutHead => {
                proxy.set(Direction::ToClient, Flow::CutAfter(IN_THE_HEAD), Scope::All);
            }
            Self::CutBody => {
                proxy.set(Direction::ToClient, Flow::CutAfter(IN_THE_BODY), Scope::All);
            }
            Self::Outage | Self::Refused => {
                proxy.accept(Accept::Refuse).await;
                proxy.reset_established();
                return Ground::refuses(proxy.port()).await;
            }
            Self::Mute => {
                proxy.accept(Accept::Mute).await;
                proxy.reset_established();
            }
            Self::Held => {
                let directions = [Direction::ToServer, Direction::ToClient];
                proxy.set(directions[*turn % 2], Flow::Hold, Scope::All);
            }
            Self::Garbage => {
                // No connection is left where a reply has begun: garbage within a body is a body.
                proxy.reset_established();
                proxy.set(Direction::ToClient, Flow::Garbage, Scope::All);
            }
            Self::Delayed => {
                let late = Flow::Delay(Duration::from_millis(500));
                proxy.set(Direction::ToClient, late, Scope::All);
            }
            Self::Unavailable => origin.answers_as(Mode::Unavailable),
            Self::Endless => origin.answers_as(Mode::Endless),
            Self::Killed => {
                origin.kill();
                return Ground::refuses(origin.port()).await;
            }
        }
        true
    }

    /// Ends the fault and says whether it was real.
    pub(crate) async fn heal(self, ground: &mut Ground) -> bool {
        let (now, before) = (ground.proxy.counts(), ground.counts);
        let answered = ground.origin.unavailable() + ground.origin.endless();
        ground.origin.answers_as(Mode::Whole);
        if self == Self::Killed {
            ground.origin.restart();
        }
        ground.proxy.heal().await;
        match self {
            Self::CutHead | Self::CutBody => now.cut > before.cut,
            Self::Outage | Self::Refused => now.accepted == before.accepted,
            Self::Mute => now.muted > before.muted,
            Self::Held => now.held > before.held,
            Self::Garbage => now.garbled > before.garbled,
            Self::Delayed => now.delayed > before.delayed,
            Self::Unavailable | Self::Endless => answered > ground.answered,
            Self::Killed => now.reset > before.reset,
        }
    }
}
