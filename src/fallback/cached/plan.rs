use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{Cache, Keeper, Query, entry::Entry, shelf::Fill};
use crate::{
    Ratio, clock,
    event::Name,
    fallback::{Failed, Plan, Served, Source},
    logic::{Condition, Moment},
};

pin_project! {
    /// The plan of a [`Cached`](super::Cached) and of a [`Stale`](super::Stale): a fresh answer, or
    /// the key of one.
    pub struct CachedPlan<Q>
    where
        Q: Keeper,
    {
        state: State<Q>,
    }
}

enum State<Q>
where
    Q: Keeper,
{
    /// The request has nothing to do with the cache.
    Pass,
    /// It changes what the cache holds.
    Change { keeper: Q, cache: Cache<Q::Key, Q::Stored>, tag: Name },
    /// It is answered already.
    Fresh { keeper: Q, entry: Arc<Entry<Q::Stored>>, now: Moment, refresh_ahead: Option<Ratio> },
    /// Its answer will be kept.
    Open {
        keeper: Q,
        cache: Cache<Q::Key, Q::Stored>,
        key: Q::Key,
        fill: Fill,
        note: Option<Q::Note>,
    },
}

impl<Q> CachedPlan<Q>
where
    Q: Keeper + Clone,
{
    pub(super) fn without_key<R>(cache: &Cache<Q::Key, Q::Stored>, keeper: &Q, request: &R) -> Self
    where
        Q: Query<R>,
    {
        let state = match keeper.changes(request) {
            Some(tag) => State::Change { keeper: keeper.clone(), cache: cache.clone(), tag },
            None => State::Pass,
        };
        Self { state }
    }

    pub(super) fn fresh(
        keeper: &Q,
        entry: Arc<Entry<Q::Stored>>,
        now: Moment,
        refresh_ahead: Option<Ratio>,
    ) -> Self {
        Self { state: State::Fresh { keeper: keeper.clone(), entry, now, refresh_ahead } }
    }

    pub(super) fn open<R>(
        cache: &Cache<Q::Key, Q::Stored>,
        keeper: &Q,
        key: Q::Key,
        now: Moment,
        request: &R,
    ) -> Self
    where
        Q: Query<R>,
    {
        let note = Some(keeper.note(request));
        let (cache, keeper) = (cache.clone(), keeper.clone());
        let fill = cache.shelf().begin(now);
        Self { state: State::Open { keeper, cache, key, fill, note } }
    }
}

impl<Q, E> Plan<Q::Response, E> for CachedPlan<Q>
where
    Q: Keeper,
{
    fn failed(&self, reason: &str) -> Failed {
        Failed::new("cache", reason)
    }

    #[inline]
    fn answer(&mut self) -> Option<Served<Q::Response>> {
        match &self.state {
            State::Fresh { keeper, entry, now, .. } => {
                let source = Source::Cache { age: entry.age(*now) };
                Some(Served::new(keeper.restore(entry.found(*now)), source))
            }
            State::Pass | State::Change { .. } | State::Open { .. } => None,
        }
    }

    #[inline]
    fn refreshes(&mut self) -> bool {
        match &self.state {
            State::Fresh { entry, now, refresh_ahead: Some(part), .. } => {
                entry.claim_refresh(*part, *now)
            }
            State::Fresh { refresh_ahead: None, .. }
            | State::Pass
            | State::Change { .. }
            | State::Open { .. } => false,
        }
    }

    fn learn(self: Pin<&mut Self>, response: &mut Q::Response) {
        match self.project().state {
            State::Change { keeper, cache, tag } => {
                if keeper.changed(response) {
                    cache.invalidate_tag(tag.clone());
                }
            }
            State::Open { keeper, cache, key, fill, note } => {
                // A layer below has kept it already.
                if cache.shelf().has_since(key, *fill) {
                    return;
                }
                if let Some(note) = note.take() {
                    keeper.keep(note, response, cache.deposit(key.clone(), *fill));
                }
            }
            State::Pass | State::Fresh { .. } => {}
        }
    }

    fn poll_recover(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &Result<Q::Response, E>,
    ) -> Poll<Result<Served<Q::Response>, Failed>> {
        let State::Open { keeper, cache, key, note, .. } = &self.state else {
            return Poll::Ready(Err(Plan::<_, E>::failed(&*self, "the request is not for it")));
        };
        let now = clock::now();
        let Some((entry, condition)) = cache.shelf().find(key, now) else {
            return Poll::Ready(Err(Plan::<_, E>::failed(&*self, "nothing is kept")));
        };
        let (found, age) = (entry.found(now), entry.age(now));
        if !note.as_ref().is_some_and(|note| keeper.permits(note, found)) {
            let reason = "what is kept may not answer this request";
            return Poll::Ready(Err(Plan::<_, E>::failed(&*self, reason)));
        }
        let source = match condition {
            Condition::Fresh => Source::Cache { age },
            Condition::Stale | Condition::Past => Source::Stale { age },
        };
        Poll::Ready(Ok(Served::new(keeper.restore(found), source)))
    }
}

impl<Q> fmt::Debug for CachedPlan<Q>
where
    Q: Keeper,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Pass => "CachedPlan(pass)",
            State::Change { .. } => "CachedPlan(change)",
            State::Fresh { .. } => "CachedPlan(fresh)",
            State::Open { .. } => "CachedPlan(open)",
        })
    }
}
