use std::sync::atomic::{AtomicU8, Ordering};

use super::Grade;

/// What callers have to know of a target, in one word.
///
/// Written with the lock of the target held. A reader needs no more of what was written before it
/// than the word itself.
#[derive(Debug)]
pub(super) struct Sign(AtomicU8);

const GRADE: u8 = 0b0011;
const REFUSES: u8 = 0b0100;
const MONITORED: u8 = 0b1000;
/// The clock knows whether it still is unhealthy.
const ENDS: u8 = 0b1_0000;

impl Sign {
    pub(super) const fn new() -> Self {
        Self(AtomicU8::new(encode(Grade::Unknown)))
    }

    pub(super) fn publish(&self, grade: Grade, refuses: bool, is_monitored: bool, ends: bool) {
        let refuses = if refuses { REFUSES } else { 0 };
        let monitored = if is_monitored { MONITORED } else { 0 };
        let ends = if ends { ENDS } else { 0 };
        self.0.store(encode(grade) | refuses | monitored | ends, Ordering::Release);
    }

    /// The grade; `None` if it depends on the clock.
    #[inline]
    pub(super) fn grade(&self) -> Option<Grade> {
        match self.0.load(Ordering::Acquire) & (GRADE | ENDS) {
            0 => Some(Grade::Healthy),
            1 => Some(Grade::Unknown),
            2 => Some(Grade::Degraded),
            3 => Some(Grade::Unhealthy),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn refuses(&self) -> bool {
        self.0.load(Ordering::Acquire) & REFUSES != 0
    }

    #[inline]
    pub(super) fn is_monitored(&self) -> bool {
        self.0.load(Ordering::Acquire) & MONITORED != 0
    }
}

const fn encode(grade: Grade) -> u8 {
    match grade {
        Grade::Healthy => 0,
        Grade::Unknown => 1,
        Grade::Degraded => 2,
        Grade::Unhealthy => 3,
    }
}
