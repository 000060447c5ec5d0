use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs the user's code; `None` if it panics, even if what it panics with does so again when it is
/// dropped.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    let payload = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => return Some(done),
        Err(payload) => payload,
    };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(Self)
        }
    }

    #[test]
    fn a_panic_is_caught_whatever_it_panics_with() {
        assert_eq!(caught(|| 1), Some(1));
        assert_eq!(caught(|| panic!("words")), None::<()>);
        assert_eq!(caught(|| std::panic::panic_any(Bomb)), None::<()>);
        assert_eq!(caught(|| drop(Bomb)), None);
    }
}
