use super::Pass;
use crate::Outcome;

/// A pass during its call: settled as a failure if the inner service unwinds.
pub(crate) struct Held<P: Pass> {
    pass: Option<P>,
    running: bool,
}

impl<P: Pass> Held<P> {
    #[inline]
    pub(crate) fn new(pass: P) -> Self {
        Self { pass: Some(pass), running: false }
    }

    /// Runs code of the inner service.
    #[inline]
    pub(crate) fn run<T>(&mut self, inner: impl FnOnce() -> T) -> T {
        self.running = true;
        let answer = inner();
        self.running = false;
        answer
    }

    /// Whether code of the inner service runs, or has unwound.
    #[cfg(feature = "http")]
    pub(crate) const fn is_running(&self) -> bool {
        self.running
    }

    #[cold]
    fn fail(&mut self) {
        if let Some(pass) = self.pass.take() {
            pass.settle(Outcome::Failure, None);
        }
    }

    /// Takes the pass, to settle it.
    #[inline]
    pub(crate) fn take(&mut self) -> P {
        self.pass.take().expect("a pass is settled once")
    }
}

impl<P: Pass> Drop for Held<P> {
    #[inline]
    fn drop(&mut self) {
        if self.running {
            self.fail();
        }
    }
}
