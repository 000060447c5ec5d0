//! What `ServerErrors` treats as failure, and what of it says when to come back.

use std::{convert::Infallible, fmt, io};

use axum::http::{Response, header::RETRY_AFTER};
use tower_failover::{
    BoxError, Classify, Outcome,
    circuit_breaker::{Circuit, Open},
    gate::{AtHead, Settle},
    http::{AtEnd, ServerErrors},
};
use tower_http::classify::StatusInRangeAsFailures;

use crate::{
    FRAGILE, SECOND, circuit,
    recorder::{End, Recorder},
    refusals::{nobody, unhealthy},
};

type Answer = Result<Response<()>, BoxError>;

fn status(status: u16) -> Answer {
    Ok(Response::builder().status(status).header(RETRY_AFTER, "9").body(()).unwrap())
}

fn open() -> Open {
    let circuit: Circuit = circuit(FRAGILE);
    circuit.force_open_for(9 * SECOND);
    circuit.permit().unwrap_err()
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

#[test]
fn every_5xx_is_a_failure_and_nothing_else() {
    for code in 100..1_000 {
        let expected = if code / 100 == 5 { Outcome::Failure } else { Outcome::Success };
        assert_eq!(ServerErrors::new().classify(&status(code)), expected, "{code}");
    }
}

#[test]
fn a_range_is_a_failure_and_nothing_else() {
    for code in 100..1_000 {
        let is_in = (400..=499).contains(&code);
        let expected = if is_in { Outcome::Failure } else { Outcome::Success };
        assert_eq!(ServerErrors::within(400..=499).classify(&status(code)), expected, "{code}");
        let by = ServerErrors::by(StatusInRangeAsFailures::new(400..=499));
        assert_eq!(by.classify(&status(code)), expected, "{code}");
    }
}

#[test]
#[should_panic(expected = "status code")]
fn a_range_of_no_statuses_panics() {
    let _ = ServerErrors::within(0..=599);
}

#[test]
fn every_error_is_a_failure_and_the_refusal_of_an_inner_circuit_too() {
    let errors: [BoxError; 4] = [
        "down".into(),
        io::Error::from(io::ErrorKind::ConnectionRefused).into(),
        open().into(),
        Wrapped(open().into()).into(),
    ];
    for error in errors {
        assert_eq!(ServerErrors::new().classify(&Answer::Err(error)), Outcome::Failure);
    }
    let typed = Err::<Response<()>, _>(io::Error::from(io::ErrorKind::BrokenPipe));
    assert_eq!(ServerErrors::new().classify(&typed), Outcome::Failure);
    let good: Result<_, Infallible> = Ok(Response::new(()));
    assert_eq!(ServerErrors::new().classify(&good), Outcome::Success);
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_when_to_come_back_at_the_head_and_at_the_end() {
    let wait = Some(9 * SECOND);
    let wrapped = || Wrapped(Wrapped(open().into()).into()).into();
    let answers: [(fn() -> Answer, _); 3] =
        [(|| status(503), wait), (|| Err(open().into()), wait), (|| Err("down".into()), None)];
    for (answer, wait) in answers {
        assert_settled(answer, End::Settled(Outcome::Failure, wait));
    }
    assert_settled(|| Err(wrapped()), End::Settled(Outcome::Failure, wait));
    assert_settled(|| status(404), End::Settled(Outcome::Success, None));

    let typed = Err::<Response<()>, _>(open());
    assert_eq!(ServerErrors::new().retry_after(&typed), wait);
}

#[tokio::test(start_paused = true)]
async fn so_does_the_refusal_of_a_health_gate_or_of_a_failover() {
    let wait = Some(6 * SECOND);
    let unhealthy = unhealthy(2 * SECOND).await;
    let nobody = nobody(6 * SECOND).await;
    let settled = End::Settled(Outcome::Failure, wait);
    assert_settled(|| Err(unhealthy.clone().into()), settled);
    assert_settled(|| Err(Wrapped(nobody.clone().into()).into()), settled);
    let typed = Err::<Response<()>, _>(unhealthy);
    assert_eq!(ServerErrors::new().retry_after(&typed), wait);
    let typed = Err::<Response<()>, _>(nobody);
    assert_eq!(ServerErrors::new().retry_after(&typed), wait);
}

fn assert_settled(answer: impl Fn() -> Answer, end: End) {
    let recorder = Recorder::default();
    let pass = || tower_failover::gate::Guard::<()>::admit(&recorder, &()).unwrap();
    let _ = AtHead::new(ServerErrors::new()).settle(pass(), answer());
    let _ = AtEnd::new().settle(pass(), answer().map(|it| it.map(|()| String::new())));
    assert_eq!(recorder.ends(), [end, end]);
}
