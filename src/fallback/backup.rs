use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Failed, Plan, Served, Source, Strategy, chain::combinators};

/// Sends the request to another service when the first one fails.
///
/// Costs each call a clone of the request and of the backup service; both are used only when the
/// call failed. The clone is polled ready first: a backup that is not ready is waited for, within
/// the [budget](Self::within) if there is one. Its errors are reasons, never the caller's error.
///
/// Only for requests that may run twice: one that failed may have run.
///
/// # Cancel safety
///
/// The backup's future is dropped when the call is, and when its budget is spent.
#[derive(Clone, Copy)]
pub struct Backup<B> {
    service: B,
}

impl<B> Backup<B> {
    /// Answers with what this service answers.
    pub const fn new(service: B) -> Self {
        Self { service }
    }

    combinators!();
}

impl<B, Request> Strategy<Request> for Backup<B>
where
    B: Service<Request> + Clone,
    Request: Clone,
{
    type Plan = BackupPlan<B, Request, B::Future>;

    fn plan(&self, request: &Request) -> Self::Plan {
        let (service, request) = (self.service.clone(), Some(request.clone()));
        BackupPlan { state: State::Waiting { service, request } }
    }
}

impl<B> fmt::Debug for Backup<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backup").field(&format_args!("{}", std::any::type_name::<B>())).finish()
    }
}

pin_project! {
    /// The plan of a [`Backup`]: the service and the request, then the answer on its way.
    pub struct BackupPlan<B, Request, Fut> {
        #[pin]
        state: State<B, Request, Fut>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B, Request, Fut> {
        Waiting { service: B, request: Option<Request> },
        Calling { #[pin] future: Fut },
    }
}

impl<B, Request, T, E> Plan<T, E> for BackupPlan<B, Request, B::Future>
where
    B: Service<Request, Response = T>,
    B::Error: fmt::Display,
{
    fn failed(&self, reason: &str) -> Failed {
        Failed::new(Source::Backup.as_str(), reason)
    }

    fn poll_recover(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        let mut state = self.project().state;
        let answer = loop {
            let future = match state.as_mut().project() {
                StateProj::Waiting { service, request } => match ready!(service.poll_ready(cx)) {
                    Ok(()) => {
                        let request = request.take();
                        service.call(request.expect("a plan is not polled after a panic"))
                    }
                    Err(error) => break Err(error),
                },
                StateProj::Calling { future } => break ready!(future.poll(cx)),
            };
            state.set(State::Calling { future });
        };
        Poll::Ready(match answer {
            Ok(value) => Ok(Served::new(value, Source::Backup)),
            Err(error) => Err(Failed::new(Source::Backup.as_str(), error)),
        })
    }
}

impl<B, Request, Fut> fmt::Debug for BackupPlan<B, Request, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupPlan").finish_non_exhaustive()
    }
}
