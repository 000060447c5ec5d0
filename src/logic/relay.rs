use std::collections::BTreeMap;

/// One piece of work for many who wait: who does it, who takes it over, how it ended.
///
/// `J` is the work, `W` what wakes a member, `R` the result. The work is with whoever does it; or,
/// when he left, it lies here, free. As long as it does and there are members, at least one of them
/// is *awake*: he has been woken and not looked yet. When he leaves instead, the next one is woken,
/// so free work is never forgotten while somebody waits for it.
#[derive(Debug)]
pub(crate) struct Relay<J, W, R> {
    /// Those who sleep, by the order in which they came.
    asleep: BTreeMap<u64, W>,
    awake: usize,
    joined: u64,
    free: Option<J>,
    result: Option<R>,
}

/// What a member is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn<J, R> {
    /// It is over.
    Done(R),
    /// Do the work.
    Work(J),
    /// Wait to be woken.
    Wait,
}

/// Where work went that was given back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Handed<J, W> {
    /// To the members. One of them is to be woken, unless one is awake.
    Over(Option<W>),
    /// Nobody waits for it.
    Back(J),
}

impl<J, W, R> Relay<J, W, R>
where
    R: Clone,
{
    pub(crate) const fn new() -> Self {
        Self { asleep: BTreeMap::new(), awake: 0, joined: 0, free: None, result: None }
    }

    /// A new member, by his number. He is awake.
    pub(crate) fn join(&mut self) -> u64 {
        self.joined += 1;
        self.awake += 1;
        self.joined
    }

    /// What this member is to do now; if it is to wait, `waker` wakes him. Returns also what would
    /// have woken him so far, to be dropped outside of any lock.
    pub(crate) fn turn(&mut self, member: u64, waker: W) -> (Turn<J, R>, Option<W>) {
        if let Some(result) = &self.result {
            return (Turn::Done(result.clone()), Some(waker));
        }
        let before = self.asleep.remove(&member);
        if let Some(work) = self.free.take() {
            self.awake += usize::from(before.is_some());
            return (Turn::Work(work), before);
        }
        self.awake -= usize::from(before.is_none());
        self.asleep.insert(member, waker);
        (Turn::Wait, before)
    }

    /// A member leaves. Returns who is to be woken in his place, and what would have woken him.
    pub(crate) fn leave(&mut self, member: u64) -> (Option<W>, Option<W>) {
        if self.result.is_some() {
            return (None, None);
        }
        let before = self.asleep.remove(&member);
        if before.is_none() {
            self.awake -= 1;
        }
        (if self.free.is_some() { self.next() } else { None }, before)
    }

    /// Whoever does the work, and is no member any more, gives it back undone.
    pub(crate) fn hand_over(&mut self, work: J) -> Handed<J, W> {
        if self.is_over() || self.is_empty() {
            return Handed::Back(work);
        }
        self.free = Some(work);
        Handed::Over(self.next())
    }

    /// The free work, if nobody is left who would take it.
    pub(crate) fn orphan(&mut self) -> Option<J> {
        if self.is_empty() { self.free.take() } else { None }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.asleep.is_empty() && self.awake == 0
    }

    pub(crate) fn is_over(&self) -> bool {
        self.result.is_some()
    }

    /// Has everybody look, who then waits on if there is nothing to do. Returns who is to be woken.
    pub(crate) fn rouse(&mut self) -> impl Iterator<Item = W> + use<J, W, R> {
        let asleep = std::mem::take(&mut self.asleep);
        self.awake += asleep.len();
        asleep.into_values()
    }

    /// It is over; the first result stands. Returns who is to be woken, and the work, if it is free.
    pub(crate) fn end(&mut self, result: R) -> (impl Iterator<Item = W> + use<J, W, R>, Option<J>) {
        self.result.get_or_insert(result);
        (std::mem::take(&mut self.asleep).into_values(), self.free.take())
    }

    /// Wakes the one who has slept longest, unless somebody is awake.
    fn next(&mut self) -> Option<W> {
        if self.awake > 0 {
            return None;
        }
        let (_, waker) = self.asleep.pop_first()?;
        self.awake += 1;
        Some(waker)
    }
}

#[cfg(test)]
mod tests;
