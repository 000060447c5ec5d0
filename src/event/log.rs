use super::{Event, Observer};

/// Writes events to [`tracing`], target `tower_failover`.
///
/// | event | level |
/// |---|---|
/// | a circuit opens, a connection is lost, a fallback fails, a target is unhealthy, no backend is left | `WARN` |
/// | every other transition, change of health and switch, a connection is made | `INFO` |
/// | a fallback answers, a call is refused | `DEBUG` |
///
/// Names, states and causes are fields; nothing that a request or a response holds is written, so
/// of the strategies that failed their names and not their messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

const TARGET: &str = "tower_failover";

impl Observer for Log {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Transition(transition) if transition.to() == super::State::Open => {
                tracing::warn!(
                    target: TARGET,
                    circuit = transition.circuit().as_str(),
                    from = transition.from().as_str(),
                    to = transition.to().as_str(),
                    "{event}"
                )
            }
            Event::Transition(transition) => tracing::info!(
                target: TARGET,
                circuit = transition.circuit().as_str(),
                from = transition.from().as_str(),
                to = transition.to().as_str(),
                "{event}"
            ),
            Event::Health(change) if change.to() == super::Grade::Unhealthy => {
                tracing::warn!(
                    target: TARGET,
                    health = change.target().as_str(),
                    from = change.from().as_str(),
                    to = change.to().as_str(),
                    "{event}"
                );
            }
            Event::Health(change) => tracing::info!(
                target: TARGET,
                health = change.target().as_str(),
                from = change.from().as_str(),
                to = change.to().as_str(),
                "{event}"
            ),
            Event::Switched(switch) if switch.to().is_none() => tracing::warn!(
                target: TARGET,
                failover = switch.failover().as_str(),
                trigger = switch.trigger().as_str(),
                "{event}"
            ),
            Event::Switched(switch) => tracing::info!(
                target: TARGET,
                failover = switch.failover().as_str(),
                trigger = switch.trigger().as_str(),
                "{event}"
            ),
            Event::Connected { server } => tracing::info!(target: TARGET, server, "{event}"),
            Event::RefreshFailed { cache, .. } => {
                tracing::warn!(target: TARGET, cache = cache.as_str(), "{event}");
            }
            Event::Disconnected { server, .. } => tracing::warn!(target: TARGET, server, "{event}"),
            Event::FallbackFailed { fallback, .. } => {
                tracing::warn!(target: TARGET, fallback = fallback.as_str(), "{event}");
            }
            Event::FellBack { fallback, strategy } => {
                tracing::debug!(target: TARGET, fallback = fallback.as_str(), strategy, "{event}");
            }
            Event::Refused { circuit, .. } => {
                tracing::debug!(target: TARGET, circuit = circuit.as_str(), "{event}");
            }
        }
    }
}
