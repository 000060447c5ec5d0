use std::time::Duration;

use super::Recovery;

/// What a roster goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rules {
    pub(crate) recovery: Recovery,
    /// A degraded member is left while another is not degraded.
    pub(crate) leaves_degraded: bool,
    /// Who is left this soon after it took over is left by a cascade.
    pub(crate) cascade_within: Duration,
}
