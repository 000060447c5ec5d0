/// The methods that every strategy has. A trait for them would have to be imported, and could not
/// say of which `Request` the strategy is one.
macro_rules! combinators {
    () => {
        /// Asks `next` when this strategy fails.
        ///
        /// If all fail the caller gets the original result, and observers every reason.
        pub const fn or<N>(self, next: N) -> $crate::fallback::Or<Self, N> {
            $crate::fallback::Or::new(self, next)
        }

        /// Gives this strategy up after `budget`, counted from when it is first asked.
        ///
        /// # Panics
        ///
        /// When it does not answer at once, outside of a tokio runtime with a timer.
        pub const fn within(self, budget: ::std::time::Duration) -> $crate::fallback::Within<Self> {
            $crate::fallback::Within::new(self, budget)
        }

        /// Names this strategy in [`Served`]($crate::fallback::Served) and in events.
        pub fn named(self, name: impl Into<$crate::event::Name>) -> $crate::fallback::Named<Self> {
            $crate::fallback::Named::new(self, name)
        }
    };
}

pub(in crate::fallback) use combinators;
