//! Which codes are failures, and of what.

use tonic::{
    Code,
    Code::{
        Aborted, AlreadyExists, Cancelled, DataLoss, DeadlineExceeded, FailedPrecondition,
        Internal, InvalidArgument, NotFound, Ok as Fine, OutOfRange, PermissionDenied,
        ResourceExhausted, Unauthenticated, Unavailable, Unimplemented, Unknown,
    },
    Status,
};
use tower_failover::{BoxError, Classify, Outcome, grpc::Codes};

use crate::{
    FRAGILE, SECOND, boxed, circuit,
    refusals::{nobody, unhealthy},
};

const FAILURES: [Code; 5] = [Unknown, DeadlineExceeded, Internal, Unavailable, DataLoss];
const SUCCESSES: [Code; 12] = [
    Fine,
    Cancelled,
    InvalidArgument,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Unauthenticated,
];

fn outcome(codes: Codes, code: Code) -> Outcome {
    let status = Status::new(code, "");
    let typed = codes.classify(&Err::<(), _>(status.clone()));
    let in_a_box = codes.classify(&Err::<(), BoxError>(status.clone().into()));
    let among_sources = codes.classify(&Err::<(), _>(boxed(Wrapped(status))));
    assert_eq!((typed, typed), (in_a_box, among_sources), "{code:?}");
    typed
}

#[derive(Debug)]
struct Wrapped(Status);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrapped")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn the_defaults_are_as_they_are_tabled() {
    for (codes, expected) in [(&FAILURES[..], Outcome::Failure), (&SUCCESSES, Outcome::Success)] {
        for &code in codes {
            assert_eq!(outcome(Codes::new(), code), expected, "{code:?}");
            assert_eq!(Codes::default().is_failure(code), expected == Outcome::Failure);
        }
    }
}

#[test]
fn each_code_can_be_set_and_no_other_changes() {
    let all = [&FAILURES[..], &SUCCESSES].concat();
    assert_eq!(all.len(), 17);
    for &set in all.iter().filter(|code| **code != Fine) {
        let (failure, success) = (Codes::new().failure(set), Codes::new().success(set));
        assert_eq!(outcome(failure, set), Outcome::Failure);
        assert_eq!(outcome(success, set), Outcome::Success);
        for &other in all.iter().filter(|other| **other != set) {
            assert_eq!(outcome(failure, other), outcome(Codes::new(), other));
            assert_eq!(outcome(success, other), outcome(Codes::new(), other));
        }
    }
}

#[test]
#[should_panic(expected = "OK is no failure")]
fn ok_is_no_failure() {
    let _ = Codes::new().failure(Fine);
}

#[test]
fn an_answer_is_a_success_and_an_error_that_is_no_status_a_failure() {
    assert_eq!(Codes::new().classify(&Ok::<_, Status>(())), Outcome::Success);
    assert_eq!(Codes::new().classify(&Ok::<_, BoxError>(())), Outcome::Success);
    assert_eq!(Codes::new().classify(&Err::<(), _>(boxed("down"))), Outcome::Failure);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_an_inner_circuit_is_a_failure_that_says_when_to_come_back() {
    let circuit = circuit(FRAGILE);
    circuit.force_open_for(9 * SECOND);
    let refused = Err::<(), BoxError>(circuit.permit().unwrap_err().into());
    assert_eq!(Codes::new().classify(&refused), Outcome::Failure);
    assert_eq!(Codes::new().retry_after(&refused), Some(9 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn so_is_that_of_a_health_gate_or_of_a_failover() {
    let errors: [BoxError; 2] = [unhealthy().await.into(), nobody(3 * SECOND).await.into()];
    for error in errors {
        let refused = Err::<(), _>(error);
        assert_eq!(Codes::new().classify(&refused), Outcome::Failure);
        assert_eq!(Codes::new().retry_after(&refused), Some(3 * SECOND));
    }
}
