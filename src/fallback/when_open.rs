use crate::{BoxError, Classify, Outcome, circuit_breaker::Open};

/// Treats as failure only the refusal of an open circuit: an [`Open`], or an error that has one
/// among its sources. Where callers share a call, the refusal to renew what is kept
/// ([`LeftAlone`](super::cached::LeftAlone)) is none.
///
/// A response is a success; any other error is ignored, and goes to the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WhenOpen;

impl<T> Classify<T, BoxError> for WhenOpen {
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) if is_open(error) => Outcome::Failure,
            Err(_) => Outcome::Ignored,
        }
    }
}

/// Whether a circuit refused the call.
pub(super) fn is_open(error: &BoxError) -> bool {
    Open::find(&**error).is_some()
}

#[cfg(test)]
mod tests {
    use std::{error::Error, fmt};

    use super::*;
    use crate::{event::Name, logic::Moment};

    #[derive(Debug)]
    struct Wrapped(BoxError);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self.0.as_ref())
        }
    }

    fn outcome(error: impl Into<BoxError>) -> Outcome {
        WhenOpen.classify(&Err::<(), _>(error.into()))
    }

    #[test]
    fn only_the_refusal_of_a_circuit_is_a_failure() {
        let open = || Open::new(Name::from("redis"), Moment::NEVER);
        assert_eq!(outcome(open()), Outcome::Failure);
        assert_eq!(outcome(Wrapped(Wrapped(open().into()).into())), Outcome::Failure);
        assert_eq!(outcome(Wrapped("down".into())), Outcome::Ignored);
        assert_eq!(outcome("down"), Outcome::Ignored);
        assert_eq!(WhenOpen.classify(&Ok(())), Outcome::Success);
    }
}
