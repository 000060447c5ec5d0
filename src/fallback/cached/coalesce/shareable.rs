use crate::fallback::cached::Keeper;

/// A [`Keeper`] whose answers can be loaded by one task for another. Implemented by every keeper
/// that, with all its parts, may be sent between threads.
pub trait Shareable:
    Keeper<
        Response: Send + 'static,
        Key: Send + Sync + 'static,
        Stored: Send + Sync + 'static,
        Note: Send + 'static,
    > + Send
    + Sync
    + 'static
{
}

impl<Q> Shareable for Q where
    Q: Keeper<
            Response: Send + 'static,
            Key: Send + Sync + 'static,
            Stored: Send + Sync + 'static,
            Note: Send + 'static,
        > + Send
        + Sync
        + 'static
{
}
