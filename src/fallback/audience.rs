use std::sync::Arc;

use super::{Failed, Served};
use crate::event::{Event, Name, Observer, Observers};

/// Who is told what a fallback did: costs nothing to copy when that is nobody.
#[derive(Clone, Debug)]
pub(super) struct Audience(Option<Arc<Told>>);

#[derive(Debug)]
struct Told {
    fallback: Name,
    observers: Observers,
}

impl Audience {
    pub(super) const NOBODY: Self = Self(None);

    pub(super) fn with(self, fallback: Name, observer: impl Observer + 'static) -> Self {
        let mut observers = self.0.map_or_else(Observers::default, |told| told.observers.clone());
        observers.push(observer);
        Self(Some(Arc::new(Told { fallback, observers })))
    }

    pub(super) fn named(self, fallback: &Name) -> Self {
        let rename = |told: Arc<Told>| {
            Arc::new(Told { fallback: fallback.clone(), observers: told.observers.clone() })
        };
        Self(self.0.map(rename))
    }

    pub(super) fn fell_back<T>(&self, served: &Served<T>) {
        if let Some(Told { fallback, observers }) = self.0.as_deref() {
            observers.tell(&Event::FellBack { fallback, strategy: served.strategy() });
        }
    }

    pub(super) fn failed(&self, failed: &Failed) {
        if let Some(Told { fallback, observers }) = self.0.as_deref() {
            observers.tell(&Event::FallbackFailed { fallback, reasons: failed.reasons() });
        }
    }
}
