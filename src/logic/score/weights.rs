use crate::logic::Ratio;

/// What latency and success count for when one of several equal backends has to be chosen.
///
/// The score of a backend is `weight × (latency share × best latency / its latency + success share
/// × its success rate)`, where *weight* is the backend's own and *best* is the lowest latency among
/// those to choose from. A latency that is not known counts as the best, a success rate that is not
/// known as 100 %. By default latency counts 60 % and success 40 %.
///
/// ```
/// use tower_failover::{Ratio, failover::Weights};
///
/// const SURE_BEFORE_FAST: Weights = Weights::latency(Ratio::percent(20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    latency: Ratio,
}

const DEFAULT_LATENCY: Ratio = Ratio::percent(60);

impl Weights {
    /// The default: 60 % latency, 40 % success.
    #[must_use]
    pub const fn new() -> Self {
        Self::latency(DEFAULT_LATENCY)
    }

    /// Latency counts this much, success the rest.
    #[must_use]
    pub const fn latency(latency: Ratio) -> Self {
        Self { latency }
    }

    /// The score of a backend of this weight; latencies in any one unit.
    pub(crate) fn score(
        self,
        weight: u32,
        latency: Option<f64>,
        best_latency: Option<f64>,
        success_rate: Option<f64>,
    ) -> f64 {
        let speed = match (latency, best_latency) {
            (Some(latency), Some(best)) if latency > best => best.max(0.0) / latency,
            (Some(_) | None, Some(_) | None) => 1.0,
        };
        let share = self.latency.get();
        f64::from(weight) * (share * speed + (1.0 - share) * success_rate.unwrap_or(1.0))
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(tower_failover_loom)))]
mod tests {
    use super::*;

    const WEIGHTS: Weights = Weights::new();

    fn close(score: f64, expected: f64) {
        assert!((score - expected).abs() < 1e-9, "{score} is not {expected}");
    }

    #[test]
    fn a_perfect_backend_scores_its_weight() {
        close(WEIGHTS.score(7, Some(0.5), Some(0.5), Some(1.0)), 7.0);
    }

    #[test]
    fn what_is_not_known_counts_as_perfect() {
        close(WEIGHTS.score(2, None, Some(0.5), None), 2.0);
        close(WEIGHTS.score(2, Some(0.5), None, None), 2.0);
    }

    #[test]
    fn three_times_the_best_latency_loses_two_thirds_of_the_share_of_latency() {
        close(WEIGHTS.score(1, Some(3.0), Some(1.0), Some(1.0)), 0.6 / 3.0 + 0.4);
    }

    #[test]
    fn half_of_the_calls_lost_loses_half_of_the_share_of_success() {
        close(WEIGHTS.score(1, Some(1.0), Some(1.0), Some(0.5)), 0.6 + 0.2);
    }

    #[test]
    fn the_shares_are_a_setting() {
        let weights = Weights::latency(Ratio::percent(100));
        close(weights.score(1, Some(4.0), Some(1.0), Some(0.0)), 0.25);
        let weights = Weights::latency(Ratio::percent(0));
        close(weights.score(1, Some(4.0), Some(1.0), Some(0.9)), 0.9);
    }

    #[test]
    fn a_latency_of_nothing_is_the_best_there_is() {
        close(WEIGHTS.score(1, Some(0.0), Some(0.0), None), 1.0);
        close(WEIGHTS.score(1, Some(1.0), Some(0.0), None), 0.4);
    }
}
