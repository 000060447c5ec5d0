use std::time::Duration;

use crate::logic::{
    Moment,
    roster::{MemberId, Rules, Trigger},
};

pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) tier: u32,
    pub(super) weight: u32,
    pub(super) has_catch_up: bool,
    pub(super) log: Vec<Entry>,
}

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) at: Moment,
    pub(super) settling: u32,
    pub(super) fact: Fact,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fact {
    Joined {
        is_up: bool,
        by: Trigger,
    },
    Left {
        trigger: Trigger,
        sign: Moment,
        while_serving: bool,
    },
    /// It failed and was not left, as there is nobody else.
    Kept {
        trigger: Trigger,
        sign: Moment,
    },
    Answered,
    Asked,
    Good {
        random: f64,
    },
    Bad,
    NoVerdict,
    CatchesUp {
        by: Trigger,
        is_early: bool,
    },
    CatchUpBegan,
    /// Its catch-up was too early.
    BackOut,
    CatchUpFailed,
    Came {
        by: Trigger,
        sign: Moment,
    },
    ByHand,
    PinEnded,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    Up,
    Out,
    CatchingUp,
}

impl Member {
    pub(super) fn place(&self) -> Place {
        let place = |entry: &Entry| match entry.fact {
            Fact::Joined { is_up: true, .. } | Fact::Came { .. } => Some(Place::Up),
            Fact::Joined { is_up: false, .. } | Fact::Left { .. } => Some(Place::Out),
            Fact::BackOut | Fact::CatchUpFailed => Some(Place::Out),
            Fact::CatchesUp { .. } => Some(Place::CatchingUp),
            Fact::Asked | Fact::Good { .. } | Fact::Bad | Fact::NoVerdict => None,
            Fact::CatchUpBegan | Fact::ByHand | Fact::PinEnded => None,
            Fact::Kept { .. } | Fact::Answered => None,
        };
        self.log.iter().rev().find_map(place).expect("has joined")
    }

    /// What happened since it was left last, or joined, and what that was.
    pub(super) fn absence(&self) -> &[Entry] {
        let begins = |entry: &Entry| matches!(entry.fact, Fact::Joined { .. } | Fact::Left { .. });
        let begin = self.log.iter().rposition(begins).expect("has joined");
        &self.log[begin..]
    }

    /// Why it was left, since when, and the first sign.
    pub(super) fn left_by(&self) -> (Trigger, Moment, Moment) {
        let entry = self.absence()[0];
        match entry.fact {
            Fact::Left { trigger, sign, .. } => (trigger, entry.at, sign),
            _ => (Trigger::Membership, entry.at, entry.at),
        }
    }

    pub(super) fn is_out_by(&self, trigger: Trigger) -> bool {
        self.place() == Place::Out && self.left_by().0 == trigger
    }

    /// How many times in a row it was left.
    pub(super) fn leavings(&self, stable_after: Duration) -> u32 {
        let (mut row, mut up_since) = (0, None);
        for entry in &self.log {
            match entry.fact {
                Fact::Joined { is_up: true, .. } | Fact::Came { .. } => up_since = Some(entry.at),
                Fact::Left { while_serving, .. } => match up_since.take() {
                    Some(since) if entry.at - since >= stable_after => row = 1,
                    Some(_) => row += 1,
                    None => row += u32::from(while_serving),
                },
                _ => {}
            }
        }
        row
    }

    /// The good checks since the last bad one.
    pub(super) fn row(&self) -> Vec<(Moment, f64)> {
        let mut row = vec![];
        for entry in self.absence() {
            match entry.fact {
                Fact::Good { random } => row.push((entry.at, random)),
                Fact::Bad | Fact::CatchUpFailed => row.clear(),
                _ => {}
            }
        }
        row
    }

    /// Its catch-up failed since it was left.
    pub(super) fn is_behind(&self) -> bool {
        self.absence().iter().any(|entry| entry.fact == Fact::CatchUpFailed)
    }

    /// When the catch-up began that failed last, if none was good since.
    pub(super) fn failed_catch_up(&self) -> Option<Moment> {
        let last = self.log.iter().rev().find(|entry| {
            matches!(entry.fact, Fact::CatchUpBegan | Fact::Came { .. } | Fact::BackOut)
        })?;
        (last.fact == Fact::CatchUpBegan).then_some(last.at)
    }

    pub(super) fn bad_row(&self) -> u32 {
        let bad = |entry: &&Entry| matches!(entry.fact, Fact::Bad | Fact::CatchUpFailed);
        let good = |entry: &&Entry| !matches!(entry.fact, Fact::Good { .. });
        self.absence().iter().rev().take_while(good).filter(bad).count() as u32
    }

    pub(super) fn wait_ends(&self, rules: &Rules) -> Option<Moment> {
        let (first, random) = *self.row().first()?;
        let leavings = self.leavings(rules.recovery.stable_after);
        Some(first + rules.recovery.delay.wait(leavings, random))
    }

    /// Since when somebody checks it and has not said how it is.
    pub(super) fn asked_without_verdict(&self) -> Option<Moment> {
        let asked = self.absence().iter().rev().find(|entry| {
            matches!(
                entry.fact,
                Fact::Asked | Fact::Good { .. } | Fact::Bad | Fact::CatchUpFailed | Fact::NoVerdict
            )
        })?;
        (asked.fact == Fact::Asked).then_some(asked.at)
    }

    /// When it may be asked again.
    pub(super) fn next_time(
        &self,
        nobody_serves: bool,
        spacing: Duration,
        rules: &Rules,
    ) -> Moment {
        if let Some(asked) = self.asked_without_verdict() {
            return asked + Duration::from_secs(60);
        }
        let (trigger, left, _) = self.left_by();
        let asked = self.log.iter().filter(|entry| entry.fact == Fact::Asked).map(|entry| entry.at);
        let mut times: Vec<_> = asked.collect();
        if !nobody_serves && trigger != Trigger::Membership {
            times.push(left);
        }
        let Some(last) = times.into_iter().max() else { return Moment::ORIGIN };
        let end = self.wait_ends(rules).filter(|end| *end > last);
        end.map_or(last + spacing, |end| end.min(last + spacing))
    }

    /// Whether it came, or was told to, after this settling.
    pub(super) fn is_back_since(&self, settling: u32) -> bool {
        let comes = |entry: &Entry| {
            matches!(entry.fact, Fact::Came { .. } | Fact::ByHand | Fact::PinEnded)
                && entry.settling > settling
        };
        self.place() == Place::Up && self.log.iter().any(comes)
    }

    /// What it came by last, and the first sign of that.
    pub(super) fn came_by(&self) -> (Trigger, Moment) {
        let by = |entry: &Entry| match entry.fact {
            Fact::Joined { by, .. } => Some((by, entry.at)),
            Fact::Came { by, sign } => Some((by, sign)),
            Fact::ByHand => Some((Trigger::Manual, entry.at)),
            Fact::PinEnded => Some((Trigger::Recovery, entry.at)),
            _ => None,
        };
        self.log.iter().rev().find_map(by).expect("has joined")
    }
}
