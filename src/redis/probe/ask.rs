use std::future::poll_fn;

use redis::{Cmd, Value};
use tower_service::Service;

use crate::BoxError;

/// Waits until the service is ready, and calls it.
pub(super) async fn ask<S>(service: &mut S, command: Cmd) -> Result<Value, BoxError>
where
    S: Service<Cmd, Response = Value>,
    S::Error: Into<BoxError>,
{
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    service.call(command).await.map_err(Into::into)
}

/// The text in a reply that is one.
pub(super) fn text(reply: &Value) -> Option<&[u8]> {
    if let Value::SimpleString(text) = reply {
        return Some(text.as_bytes());
    }
    if let Value::BulkString(text) = reply { Some(text) } else { None }
}
