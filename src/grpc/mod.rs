//! gRPC over tonic: what is a failure, and how a refusal is said.
//!
//! # When to use it
//!
//! Around tonic's `Channel`, under the clients that are generated for it, and before services on a
//! server. The verdict on a gRPC call stands in `grpc-status`, mostly in the trailers, after the
//! last message: judged by its HTTP status, every call would be a success.
//!
//! # Example
//!
//! ```
//! use tonic::transport::Channel;
//! use tower::ServiceBuilder;
//! use tower_failover::{
//!     circuit_breaker::{Circuit, CircuitBreakerLayer},
//!     http::AnswerRefusalsLayer,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(AnswerRefusalsLayer::for_grpc())
//!     .layer(CircuitBreakerLayer::for_grpc(Circuit::new("inventory")))
//!     .service(Channel::from_static("http://[::1]:50051").connect_lazy());
//! let client = tonic::client::Grpc::new(service);
//! # let _ = client;
//! # }
//! ```
//!
//! # How it behaves
//!
//! [`Codes`] says which codes are failures. [`at_end`] settles a call with the end of its response:
//! a stream that ends in `UNAVAILABLE` has failed, one that is dropped half-way was cancelled, one
//! whose connection breaks has failed: see [`AtEnd`](crate::http::AtEnd). [`retry_after`] reads how
//! long the server asks to be left alone.
//!
//! Above the codec, where calls end in [`Status`](tonic::Status), [`Codes`] is a
//! [classifier](crate::Classify) of its own; a stream that fails after its head is not seen there.
//!
//! gRPC-Web (`application/grpc-web`) carries its trailers in the body, where nobody looks here: its
//! calls are judged wrongly. Put these layers inside of `GrpcWebLayer`, where the trailers are.
//!
//! # Refusals
//!
//! [`AnswerRefusalsLayer::for_grpc`](crate::http::AnswerRefusalsLayer::for_grpc) makes every error a
//! [`Status`](tonic::Status) for clients, and with `infallible()` a response for servers;
//! [`refusal`] is the bare function. A refused call is `UNAVAILABLE`, and says when to come back.

mod answer;
mod circuit_breaker;
mod codes;
mod codes_at_end;
mod refusal;
mod retry_after;
mod retry_info;

pub use self::{
    answer::{AsResponse, AsStatus},
    circuit_breaker::at_end,
    codes::Codes,
    codes_at_end::CodesAtEnd,
    refusal::refusal,
    retry_after::retry_after,
};
