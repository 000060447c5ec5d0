use std::{
    sync::{Arc, Mutex, OnceLock},
    task::Waker,
    time::Duration,
};

use tokio::time::Instant;
use tower_failover::{
    circuit_breaker::State,
    event::{Event, Name, Trigger},
    failover::{BackendState, BackendStatus, Control, Repeat, Status, Switch},
    health::{Grade, Health},
};

use super::report::Report;

/// Watches a failover from outside: what it is to keep is worked out of its settings, of what its
/// backends and its callers see, and of its status.
#[derive(Clone)]
pub(super) struct Watch(Arc<Watched>);

struct Watched {
    control: OnceLock<Control>,
    healths: Vec<Option<Health>>,
    limits: Limits,
    seen: Mutex<Seen>,
    /// Calls that wait until a backend is ready.
    waiting: Mutex<Vec<Waker>>,
}

/// What is promised, by the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) budget: Duration,
    pub(super) most_trials: usize,
    pub(super) shortest_wait: Duration,
    pub(super) most_switches: usize,
}

#[derive(Default)]
struct Seen {
    report: Report,
    /// How often a backend that is out and that nobody checks was tried by a call.
    trials: [usize; 12],
    /// Since when a backend is out that has not been used since.
    left_at: [Option<Instant>; 12],
    rescues: usize,
}

/// The request numbers say how they may be repeated.
pub(super) fn repeat(request: &u64) -> Repeat {
    match request % 4 {
        0 => Repeat::Never,
        1 => Repeat::IfNotApplied,
        _ => Repeat::Always,
    }
}

/// One line: who serves, and how all others stand.
fn brief(status: &Status) -> String {
    let one = |backend: &BackendStatus| {
        let state = match backend.state {
            BackendState::Up => "up".to_owned(),
            BackendState::Out { trigger, since, .. } => format!("out {trigger} {since:?}"),
            BackendState::CatchingUp => "catching up".to_owned(),
        };
        let grade = backend.grade.map_or("-", Grade::as_str);
        format!("{}={state}/{grade}/{:?}", backend.name, backend.circuit)
    };
    let all: Vec<_> = status.backends.iter().map(one).collect();
    format!("{:?} serves of {}", status.active, all.join(", "))
}

fn is_out(backend: &BackendStatus) -> bool {
    !matches!(backend.state, BackendState::Up)
}

impl Watch {
    pub(super) fn new(healths: Vec<Option<Health>>, limits: Limits) -> Self {
        let (control, seen, waiting) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Self(Arc::new(Watched { control, healths, limits, seen, waiting }))
    }

    pub(super) fn look_at(&self, control: Control) {
        assert!(self.0.control.set(control).is_ok(), "looks at one already");
    }

    pub(super) fn count(&self, what: &'static str) {
        self.0.seen.lock().unwrap().report.count(what);
    }

    pub(super) fn wait(&self, waker: &Waker) {
        self.0.waiting.lock().unwrap().push(waker.clone());
    }

    /// Backends may be ready again.
    pub(super) fn wake(&self) {
        let waiting = std::mem::take(&mut *self.0.waiting.lock().unwrap());
        waiting.into_iter().for_each(Waker::wake);
    }

    fn grade(&self, number: usize) -> Grade {
        self.0.healths[number].as_ref().map_or(Grade::Unknown, Health::grade)
    }

    /// Whether another backend is up, and nothing is known to be wrong with it.
    fn has_healthy_other(&self, status: &Status, number: usize) -> bool {
        let is_fine = |(other, backend): (usize, &BackendStatus)| {
            let healthy = matches!(self.grade(other), Grade::Healthy | Grade::Unknown);
            let closed = matches!(backend.circuit, None | Some(State::Closed));
            other != number && !is_out(backend) && healthy && closed
        };
        status.backends.iter().enumerate().any(is_fine)
    }

    /// A backend is called: this runs within the failover's call.
    pub(super) fn called(&self, number: usize) {
        let status = self.0.control.get().expect("looks at one").status();
        let (backend, grade) = (&status.backends[number], self.grade(number));
        let is_monitored = self.0.healths[number].is_some();
        let mut seen = self.0.seen.lock().unwrap();
        seen.note_left(&status);
        seen.report.count("call");
        if !is_out(backend) && status.backends.iter().filter(|it| !is_out(it)).count() == 1 {
            seen.report.count("alone");
        }
        if grade == Grade::Unhealthy && self.has_healthy_other(&status, number) {
            let name = &backend.name;
            seen.report.breach(format!(
                "{name} is called and is known to be unhealthy: {}",
                brief(&status)
            ));
        }
        if !is_out(backend) {
            return;
        }
        if is_monitored {
            if self.has_healthy_other(&status, number) {
                let name = &backend.name;
                seen.report.breach(format!("{name} is called and is out: {}", brief(&status)));
            }
            return;
        }
        seen.report.count("trial");
        seen.trials[number] += 1;
    }

    /// Another backend serves: an observer of the failover.
    pub(super) fn observer(&self) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let watch = self.clone();
        move |event| {
            if let Event::Switched(switch) = event {
                watch.switched(switch);
            }
        }
    }

    fn switched(&self, switch: &Switch) {
        let Some(control) = self.0.control.get() else { return };
        let status = control.status();
        let mut seen = self.0.seen.lock().unwrap();
        seen.report.count("switch");
        if switch.trigger() == Trigger::Cascade {
            seen.report.count("cascade");
        }
        if switch.trigger() == Trigger::Recovery && switch.from().is_some() {
            seen.report.count("recovery");
        }
        let number = |name: &Name| status.backends.iter().position(|backend| backend.name == *name);
        if let Some(to) = switch.to().and_then(number) {
            let left = seen.left_at[to].take();
            let early = left.is_some_and(|left| left.elapsed() < self.0.limits.shortest_wait);
            let is_needed = !self.has_healthy_other(&status, to);
            if early && !is_needed {
                let brief = brief(&status);
                seen.report.breach(format!("{:?} is back early: {switch}; {brief}", switch.to()));
            }
            // A last resort serves though it is out.
            let rescues = is_needed && (early || is_out(&status.backends[to]));
            seen.rescues += usize::from(rescues);
        } else {
            seen.report.count("nobody");
        }
        if let Some(from) = switch.from().and_then(number)
            && switch.trigger() != Trigger::Recovery
        {
            seen.left_at[from] = Some(Instant::now());
        }
        seen.note_left(&status);
    }

    /// A call has ended.
    pub(super) fn answered(&self, is_ok: bool, took: Duration) {
        let mut seen = self.0.seen.lock().unwrap();
        seen.report.count(if is_ok { "answer" } else { "error" });
        seen.report.slowest = seen.report.slowest.max(took);
        if took > self.0.limits.budget {
            seen.report.breach(format!("a call is over its budget: {took:?}"));
        }
    }

    /// Everything has ended.
    pub(super) fn report(&self, seed: u64) -> Report {
        let mut seen = self.0.seen.lock().unwrap();
        let Limits { most_switches, .. } = self.0.limits;
        let (switches, rescues) = (seen.report.of("switch"), seen.rescues);
        // Each rescue is a switch, and its end is another.
        if switches > most_switches + 2 * rescues {
            let what = format!("too many switches: {switches} > {most_switches} + 2 × {rescues}");
            seen.report.breaches.push(what);
        }
        let most = self.0.limits.most_trials;
        if let Some(trials) = seen.trials.into_iter().find(|trials| *trials > most) {
            seen.report.breaches.push(format!("too many trials: {trials} > {most}"));
        }
        seen.report.seed = seed;
        std::mem::take(&mut seen.report)
    }
}

impl Seen {
    fn note_left(&mut self, status: &Status) {
        for (left_at, backend) in self.left_at.iter_mut().zip(&status.backends) {
            if let BackendState::Out { since, .. } = backend.state {
                *left_at = Some(Instant::now() - since);
            }
        }
    }
}
