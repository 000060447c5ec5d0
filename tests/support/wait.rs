use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

const PAUSE: Duration = Duration::from_millis(1);

/// Waits until `condition` holds.
///
/// # Panics
///
/// Names `what` when it does not hold within `deadline`, which is an upper bound for a busy machine
/// and not an expectation.
pub async fn wait_for(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    wait_for_async(deadline, what, async || condition()).await;
}

/// Waits until the future of `condition` answers `true`; otherwise as [`wait_for`].
///
/// # Panics
///
/// As [`wait_for`].
pub async fn wait_for_async(deadline: Duration, what: &str, condition: impl AsyncFnMut() -> bool) {
    assert!(holds_within(deadline, condition).await, "waited {deadline:?} in vain: {what}");
}

/// Deadlines are real time, also where tokio's clock is paused: it stands still while a blocking
/// task runs.
pub(super) async fn holds_within(
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> bool {
    let begun = Instant::now();
    while !condition().await {
        if begun.elapsed() > deadline {
            return false;
        }
        spawn_blocking(|| std::thread::sleep(PAUSE)).await.expect("a sleep ends");
    }
    true
}
