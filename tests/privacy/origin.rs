use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering::SeqCst},
};

use axum::body::Body;
use http::{HeaderName, Request, Response, StatusCode, header};

use crate::{caller::caller_of, cell::Says, crowd::Crowds};

/// On a request, and on its answer: the first of a crowd.
pub(crate) const FIRST: HeaderName = HeaderName::from_static("x-first");
/// Whose page it is.
pub(crate) const USER: HeaderName = HeaderName::from_static("x-user");
/// No two answers of an origin have the same.
pub(crate) const SERIAL: HeaderName = HeaderName::from_static("x-serial");

/// How the origin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Up,
    Failing,
    Down,
}

/// Writes the name of the user into bodies, headers and cookies, also into those of its errors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    phase: AtomicU8,
    serial: AtomicU64,
    crowds: Crowds,
}

impl Origin {
    pub(crate) fn crowds(&self) -> &Crowds {
        &self.0.crowds
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.phase.store(phase as u8, SeqCst);
    }

    pub(crate) fn is(&self, phase: Phase) -> bool {
        self.0.phase.load(SeqCst) == phase as u8
    }

    /// How many answers it gave.
    pub(crate) fn answers(&self) -> u64 {
        self.0.serial.load(SeqCst)
    }

    pub(crate) async fn answer<B>(self, request: Request<B>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if let Some(crowd) = self.0.crowds.at(&path) {
            crowd.is_answered().await;
        }
        let mut parts = path.split('/').skip(2);
        let says = Says::ALL[parts.next().unwrap().parse::<usize>().unwrap()];
        let max_age = parts.next().unwrap();
        let caller = caller_of(request.headers()).name();
        let is_failing = self.is(Phase::Failing);
        let user = if says == Says::Common && !is_failing { "everybody" } else { caller };
        let serial = self.0.serial.fetch_add(1, SeqCst);

        let mut response = Response::builder().header(USER, user).header(SERIAL, serial);
        for (name, value) in says.headers(max_age, user) {
            response = response.header(name, value);
        }
        if is_failing {
            response = response
                .status(StatusCode::SERVICE_UNAVAILABLE)
                .header(header::SET_COOKIE, format!("failed={user}"));
        }
        if request.headers().contains_key(FIRST) {
            response = response.header(FIRST, "1");
        }
        response.body(format!("The page of {user}").into()).unwrap()
    }
}
