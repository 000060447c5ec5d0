use std::time::Duration;

use super::Trigger;
use crate::logic::{Moment, roster::Standing};

/// Whether a backend may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendState {
    /// It may.
    Up,
    /// It was left, or is new, and has to prove itself first.
    Out {
        /// Why.
        trigger: Trigger,
        /// For how long.
        since: Duration,
        /// How many of its checks in a row were good.
        good_checks: u32,
        /// The time until it may serve again, if its checks stay good; not known before the first
        /// good one.
        back_in: Option<Duration>,
    },
    /// It is brought up to date.
    CatchingUp,
}

impl BackendState {
    pub(super) fn of(standing: Standing, now: Moment) -> Self {
        match standing {
            Standing::Up => Self::Up,
            Standing::CatchingUp => Self::CatchingUp,
            Standing::Out { trigger, since, good, back_at } => Self::Out {
                trigger,
                since: now - since,
                good_checks: good,
                back_in: back_at.map(|at| at - now),
            },
        }
    }
}
