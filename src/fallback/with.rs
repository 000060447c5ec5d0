use std::{any::type_name, fmt};

/// A function whose return value is the answer; see [`Value::with`](super::Value::with).
#[derive(Clone, Copy)]
pub struct With<F>(pub(super) F);

impl<F> fmt::Debug for With<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("With").field(&format_args!("{}", type_name::<F>())).finish()
    }
}
