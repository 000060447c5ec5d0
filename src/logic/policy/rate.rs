use std::time::Duration;

use super::PolicyError;
use crate::logic::{Ratio, window::CAPACITY};

/// The calls that a rate is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Window {
    /// The last calls, 1 to 1,024. While threads count at the same time, a call whose count is under
    /// way stands for the one that left the window for it.
    Calls(u32),
    /// The calls of the last while, in ten slices; 10 ms to 24 h.
    Time(Duration),
}

/// A share of the calls in a window, from a minimum of calls on.
///
/// | setting | unit | default | allowed |
/// |---|---|---|---|
/// | share | ratio | – | above 0 %, up to 100 % |
/// | window | calls or time | – | see [`Window`] |
/// | [`min_calls`](Self::min_calls) | calls | 10, or all of a smaller window | at least 1; at most the window's calls, or 500,000 in a window of time |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub(crate) share: Ratio,
    pub(crate) window: Window,
    pub(crate) min_calls: u32,
}

const DEFAULT_MIN_CALLS: u32 = 10;
const LEAST_TIME: Duration = Duration::from_millis(10);
/// A full slice halves its counts; this many it always keeps.
const MOST_MIN_CALLS: u32 = 500_000;
const MOST_TIME: Duration = Duration::from_secs(24 * 60 * 60);

impl Rate {
    /// Reached when at least `share` of the calls in `window` count against it.
    #[must_use]
    pub const fn new(share: Ratio, window: Window) -> Self {
        let min_calls = match window {
            Window::Calls(calls) if calls < DEFAULT_MIN_CALLS => calls,
            Window::Calls(_) | Window::Time(_) => DEFAULT_MIN_CALLS,
        };
        Self { share, window, min_calls }
    }

    /// Says nothing before the window holds this many calls.
    #[must_use]
    pub const fn min_calls(self, min_calls: u32) -> Self {
        Self { min_calls, ..self }
    }

    pub(crate) fn check(&self, field: &str) -> Result<(), PolicyError> {
        PolicyError::unless(
            !self.share.is_zero(),
            format!("{field}.share"),
            &self.share,
            "above 0 %, up to 100 %",
        )?;
        let most_calls = match self.window {
            Window::Calls(calls) => {
                let valid = (1..=CAPACITY).contains(&calls);
                let field = format!("{field}.window");
                PolicyError::unless(valid, field, &self.window, "Calls(1) to Calls(1024)")?;
                calls
            }
            Window::Time(time) => {
                let valid = (LEAST_TIME..=MOST_TIME).contains(&time);
                let field = format!("{field}.window");
                PolicyError::unless(valid, field, &self.window, "Time(10ms) to Time(24h)")?;
                MOST_MIN_CALLS
            }
        };
        PolicyError::unless(
            (1..=most_calls).contains(&self.min_calls),
            format!("{field}.min_calls"),
            &self.min_calls,
            "at least 1, at most the calls of the window, or 500,000 in a window of time",
        )
    }
}
