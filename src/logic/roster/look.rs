use crate::logic::health::Grade;

/// How a member looks from outside, at this moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) grade: Grade,
    /// Its circuit refuses.
    pub(crate) is_shut: bool,
    /// How good it looks among those of its tier.
    pub(crate) score: f64,
    /// Somebody checks it, so that calls need not try.
    pub(crate) is_monitored: bool,
}

impl Look {
    /// A call could go there.
    pub(super) const fn is_open(&self) -> bool {
        !self.is_shut && !matches!(self.grade, Grade::Unhealthy)
    }
}
