/// What becomes of calls while nothing is known of the target yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhileUnknown {
    /// They pass.
    Pass,
    /// They wait where calls may be held, and are refused elsewhere.
    Wait,
    /// They are refused.
    Refuse,
}
