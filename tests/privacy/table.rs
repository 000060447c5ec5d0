use std::{cell::RefCell, time::Duration};

use futures::{StreamExt, future::join_all, stream};
use http::StatusCode;
use tokio::time::timeout;

use crate::{
    caller::Caller,
    cell::{Cell, Timing},
    origin::Phase,
    scope::Scope,
    shown::Shown,
    stack::Side,
    tally::{Kind, Tally},
    world::World,
};

/// Goes through all cells, and says how many answers of which kind it has seen.
pub(crate) async fn fill(scope: Scope, side: Side) {
    for is_http2 in [false, true] {
        let table =
            Table { world: World::new(scope, side, is_http2).await, tally: RefCell::default() };
        let cells: Vec<_> =
            Cell::all(is_http2).into_iter().filter(|cell| scope.has(cell)).collect();
        for phase in [Phase::Up, Phase::Failing, Phase::Down] {
            table.world.enter(phase);
            let cells = stream::iter(&cells);
            let all = cells.for_each_concurrent(AT_ONCE, |cell| table.ask(cell, phase));
            timeout(LONGEST, all).await.expect("a cell hangs");
        }
        let tally = table.tally.into_inner();
        println!(
            "{scope:?} {side:?} http2={is_http2}: {} cells, {} answers, {} by the origin: {tally:?}",
            cells.len(),
            tally.total(),
            table.world.origin.answers(),
        );
        tally.check(scope);
    }
}

const AT_ONCE: usize = 8;
const LONGEST: Duration = Duration::from_secs(120);

struct Table {
    world: World,
    tally: RefCell<Tally>,
}

impl Table {
    async fn ask(&self, cell: &Cell, phase: Phase) {
        let [x, y, z] = cell.order;
        match (phase, cell.timing) {
            (Phase::Up, Timing::InTurn) => self.in_turn(cell, phase, &[x, y, z, x, y, z]).await,
            (Phase::Failing, Timing::InTurn) => self.in_turn(cell, phase, &[z, y, x]).await,
            (Phase::Down, Timing::InTurn) => self.in_turn(cell, phase, &[y, x, z]).await,
            (Phase::Up, Timing::AtOnce | Timing::FirstLeaves) => {
                self.at_once(cell, phase, [x, y, x, z, y, z]).await;
                self.in_turn(cell, phase, &[y, x, z]).await;
            }
            (Phase::Failing, Timing::AtOnce | Timing::FirstLeaves) => {
                self.at_once(cell, phase, [y, x, z, x, y, z]).await;
            }
            (Phase::Down, Timing::AtOnce | Timing::FirstLeaves) => {
                let all = [x, y, z].map(|caller| async move {
                    let shown = self.world.ask(cell, caller, false).await;
                    self.see(cell, phase, caller, &shown, Kind::told(&shown));
                });
                join_all(all).await;
            }
        }
    }

    async fn in_turn(&self, cell: &Cell, phase: Phase, callers: &[Caller]) {
        for caller in callers {
            let shown = self.world.ask(cell, *caller, false).await;
            self.see(cell, phase, *caller, &shown, Kind::told(&shown));
        }
    }

    /// The origin answers when all have come. They come one after the other.
    async fn at_once(&self, cell: &Cell, phase: Phase, callers: [Caller; 6]) {
        let crowd = self.world.origin.crowds().gather(cell.id);
        let mut calls = Vec::new();
        for (before, caller) in callers.into_iter().enumerate() {
            calls.push((caller, tokio::spawn(self.world.ask(cell, caller, before == 0))));
            crowd.have_come(before + 1).await;
        }
        let leaves = cell.timing == Timing::FirstLeaves;
        if leaves {
            let (_, first) = calls.remove(0);
            first.abort();
            crowd.first_is_gone().await;
        }
        crowd.answer();
        let mut seen = Vec::new();
        for (caller, call) in calls {
            seen.push((caller, call.await.unwrap()));
        }
        self.world.origin.crowds().disperse(cell.id);
        for (number, (caller, shown)) in seen.iter().enumerate() {
            let is_shared = seen[..number].iter().any(|(_, other)| other.serial == shown.serial);
            let told = Kind::told(shown);
            let kind = if told == Kind::Origin && leaves && shown.is_first {
                Kind::HandedOn
            } else if told == Kind::Origin && is_shared {
                Kind::Coalesced
            } else {
                told
            };
            self.see(cell, phase, *caller, shown, kind);
        }
    }

    fn see(&self, cell: &Cell, phase: Phase, caller: Caller, shown: &Shown, kind: Kind) {
        let scene = || format!("{caller:?} in {phase:?} of {cell:?} sees {shown:#?}");
        assert!(!shown.betrays_another(caller), "{}", scene());
        if let Some(user) = &shown.user {
            assert!(self.world.scope.permits(cell, caller, user), "{}", scene());
            assert!(cell.is_head || shown.has_body_of(user), "{}", scene());
        }
        if phase == Phase::Up {
            assert_eq!(shown.status, Some(StatusCode::OK), "{}", scene());
        }
        let mut tally = self.tally.borrow_mut();
        tally.count(phase, kind, caller);
        if cell.is_head {
            tally.count_head(kind);
        }
    }
}
