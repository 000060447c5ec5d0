use std::fmt;

/// A share between nothing and everything, kept in millionths.
///
/// ```
/// use tower_failover::Ratio;
///
/// assert_eq!(Ratio::percent(50), Ratio::new(0.5).unwrap());
/// assert_eq!(Ratio::percent(50).to_string(), "50 %");
/// assert!(Ratio::new(1.5).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(u32);

impl Ratio {
    const WHOLE: u32 = 1_000_000;

    /// A share in percent, 0 to 100.
    ///
    /// # Panics
    ///
    /// If `percent` is above 100.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        assert!(percent <= 100, "a ratio is 0 to 100 percent");
        Self(percent * (Self::WHOLE / 100))
    }

    /// A share between `0.0` and `1.0`, or `None` outside that range.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then(|| Self((share * f64::from(Self::WHOLE)).round() as u32))
    }

    /// The share between `0.0` and `1.0`.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn millionths(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_millionths(millionths: u32) -> Self {
        assert!(millionths <= Self::WHOLE);
        Self(millionths)
    }

    /// Whether `part` of `whole` is at least this share.
    pub(crate) const fn reached_by(self, part: u64, whole: u64) -> bool {
        part.saturating_mul(Self::WHOLE as u64) >= whole.saturating_mul(self.0 as u64)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.get() * 100.0)
    }
}

impl fmt::Debug for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_outside_of_nothing_and_everything_is_none() {
        for outside in [-0.1, 1.000_001, f64::NAN, f64::INFINITY] {
            assert_eq!(Ratio::new(outside), None);
        }
        assert_eq!(Ratio::new(0.0), Some(Ratio::percent(0)));
        assert_eq!(Ratio::new(1.0), Some(Ratio::percent(100)));
        assert!(Ratio::percent(0).is_zero());
        assert!(!Ratio::from_millionths(1).is_zero());
        assert_eq!(Ratio::percent(25).get(), 0.25);
        assert_eq!(format!("{:?}", Ratio::percent(25)), "25 %");
    }

    #[test]
    #[should_panic(expected = "0 to 100 percent")]
    fn more_than_everything_is_refused() {
        let _ = Ratio::percent(101);
    }

    #[test]
    fn a_share_is_reached_from_its_own_size_on() {
        let third = Ratio::new(1.0 / 3.0).expect("a share");
        assert_eq!(third.millionths(), 333_333);
        assert!(third.reached_by(1, 3));
        assert!(!third.reached_by(333_332, 1_000_000));
        assert!(third.reached_by(333_333, 1_000_000));
        assert!(Ratio::percent(100).reached_by(7, 7));
        assert!(!Ratio::percent(100).reached_by(6, 7));
        assert!(Ratio::percent(0).reached_by(0, 7));
    }
}
