use std::task::{Context, Poll};

use tower::Service;

use super::watch::Watch;
use crate::support::SiteService;

/// A backend that tells who watches that it is called.
#[derive(Clone)]
pub(super) struct Ship {
    pub(super) number: usize,
    pub(super) service: SiteService,
    pub(super) watch: Watch,
}

impl Service<u64> for Ship {
    type Response = <SiteService as Service<u64>>::Response;
    type Error = <SiteService as Service<u64>>::Error;
    type Future = <SiteService as Service<u64>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let ready = self.service.poll_ready(cx);
        if ready.is_pending() {
            self.watch.wait(cx.waker());
        }
        ready
    }

    fn call(&mut self, request: u64) -> Self::Future {
        self.watch.called(self.number);
        self.service.call(request)
    }
}
