use super::{Moment, Policy, Refusal, Setting};

/// The probes of a half-open circuit.
#[derive(Debug, Default)]
pub(super) struct Probing {
    in_flight: Vec<Probe>,
    issued: u32,
    pub(super) successes: u32,
}

#[derive(Debug)]
struct Probe {
    id: u32,
    deadline: Moment,
}

impl Probing {
    /// `None` if a place is free; else the deadline that frees the next one.
    pub(super) fn refusal(&self, policy: &Policy) -> Option<Refusal> {
        if self.in_flight.len() < policy.probes as usize {
            return None;
        }
        self.in_flight.iter().map(|probe| Refusal { until: probe.deadline }).min_by_key(|r| r.until)
    }

    pub(super) fn issue(&mut self, Setting { policy, now, random: _ }: Setting<'_>) -> u32 {
        self.issued += 1;
        self.in_flight.push(Probe { id: self.issued, deadline: now + policy.probe_deadline });
        self.issued
    }

    pub(super) fn is_overdue(&self, now: Moment) -> bool {
        self.in_flight.iter().any(|probe| probe.deadline <= now)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Ends a probe, if it is in flight.
    pub(super) fn end(&mut self, id: u32) -> Option<()> {
        let place = self.in_flight.iter().position(|probe| probe.id == id)?;
        self.in_flight.swap_remove(place);
        Some(())
    }
}
