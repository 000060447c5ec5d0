//! Functions of the user, sync or async, with or without the request.

mod from_async_fn;
mod from_async_request_fn;
mod from_fn;
mod from_request_fn;

pub use self::{
    from_async_fn::{FromAsyncFn, from_async_fn},
    from_async_request_fn::{FromAsyncRequestFn, from_async_request_fn},
    from_fn::{FromFn, from_fn},
    from_request_fn::{FromRequestFn, from_request_fn},
};
