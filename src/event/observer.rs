use std::{fmt, sync::Arc};

use super::{Event, caught};

/// Is told what the layers did.
///
/// Every `Fn(&Event<'_>)` is one. Observers run on the task that caused the event: they should be
/// quick and must not block.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn on_event(&self, event: &Event<'_>);

    /// Whether this observer wants [`Event::Refused`], of which an open circuit makes one a call.
    ///
    /// Default: yes. A circuit none of whose observers wants them builds none.
    fn wants_refusals(&self) -> bool {
        true
    }
}

impl<F> Observer for F
where
    F: Fn(&Event<'_>) + Send + Sync,
{
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// The observers of one layer or circuit; a cheap clone.
#[derive(Clone, Default)]
pub(crate) struct Observers(Option<Arc<[Arc<dyn Observer>]>>);

impl Observers {
    pub(crate) fn push(&mut self, observer: impl Observer + 'static) {
        let known = self.0.iter().flat_map(|known| known.iter().cloned());
        self.0 = Some(known.chain([Arc::new(observer) as Arc<dyn Observer>]).collect());
    }

    pub(crate) fn want_refusals(&self) -> bool {
        self.iter().any(|observer| caught(|| observer.wants_refusals()).unwrap_or(false))
    }

    /// Tells every observer; one that panics is passed over.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        for observer in self.iter() {
            let _ = caught(|| observer.on_event(event));
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<dyn Observer>> {
        self.0.iter().flat_map(|observers| observers.iter())
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.iter().count())
    }
}
