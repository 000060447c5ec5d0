use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tower_failover::{
    BoxError,
    event::Event,
    fallback::{Failed, Plan, Served, Source, Strategy},
};
use tower_test::mock::{Handle, Mock};

pub(crate) type Inner = Mock<&'static str, &'static str>;
pub(crate) type Backend = Handle<&'static str, &'static str>;
pub(crate) type Answer = Result<&'static str, BoxError>;

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, what: impl ToString) {
        self.0.lock().expect("nobody panics while writing").push(what.to_string());
    }

    pub(crate) fn read(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics while writing").clone()
    }

    pub(crate) fn observer(&self) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let diary = self.clone();
        move |event| {
            if let Event::FallbackFailed { fallback, reasons } = event {
                let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
                diary.note(format!("fallback {fallback} failed: {}", reasons.join("; ")));
            } else {
                diary.note(event);
            }
        }
    }
}

/// A strategy that notes what it is asked and does what it is told.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub(crate) diary: Diary,
    pub(crate) name: &'static str,
    pub(crate) answers: Option<&'static str>,
    pub(crate) knows: Option<&'static str>,
    /// The step in which it panics, the first time.
    pub(crate) panics_in: &'static str,
}

impl Scripted {
    pub(crate) fn answering(name: &'static str, diary: &Diary) -> Self {
        let answers = Some(name);
        Self { diary: diary.clone(), name, answers, knows: None, panics_in: "" }
    }

    pub(crate) fn failing(name: &'static str, diary: &Diary) -> Self {
        Self { answers: None, ..Self::answering(name, diary) }
    }

    fn note(&self, what: &str) {
        let entry = format!("{} {what}", self.name);
        let first = !self.diary.read().contains(&entry);
        self.diary.note(entry);
        assert!(!first || what != self.panics_in, "as told");
    }
}

impl Strategy<&'static str> for Scripted {
    type Plan = Self;

    fn plan(&self, _: &&'static str) -> Self {
        self.note("plans");
        self.clone()
    }
}

impl<E> Plan<&'static str, E> for Scripted {
    fn answer(&mut self) -> Option<Served<&'static str>> {
        self.knows.map(|known| Served::new(known, Source::Custom(self.name)))
    }

    fn learn(self: Pin<&mut Self>, response: &mut &'static str) {
        self.note("learns");
        self.diary.note(response);
    }

    fn poll_recover(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &Result<&'static str, E>,
    ) -> Poll<Result<Served<&'static str>, Failed>> {
        self.note("recovers");
        Poll::Ready(match self.answers {
            Some(answer) => Ok(Served::new(answer, Source::Custom(self.name))),
            None => Err(Failed::new(self.name, "as told")),
        })
    }
}
