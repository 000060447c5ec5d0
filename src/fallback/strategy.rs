/// What instead? Answers a request whose call failed.
///
/// A strategy makes a plan for each request *before* the call, while the request is still there.
/// The plan keeps only what recovery needs: nothing ([`Value`](super::Value)), or the request
/// ([`Backup`](super::Backup)). So `Request: Clone` is asked only by strategies that use it, and
/// `Clone` of a response or an error by none. A plan is made for every call, the good ones too:
/// what it copies is paid each time.
///
/// The ready-made strategies cover most needs; [`from_async_fn`](super::from_async_fn) any other
/// that can be written as a function.
pub trait Strategy<Request> {
    /// What is kept of a request while its call runs: a [`Plan`](super::Plan).
    type Plan;

    /// Keeps what recovery of this request will need.
    fn plan(&self, request: &Request) -> Self::Plan;
}
