use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value};

/// How many replies a pipeline skips, and how many it keeps after them.
pub(super) fn shape(commands: &Pipeline) -> (usize, usize) {
    if commands.is_transaction() { (commands.len() + 1, 1) } else { (0, commands.len()) }
}

/// Makes the errors among the replies the error that `commands` itself would report.
pub(super) async fn extract_errors(
    commands: &Pipeline,
    values: Vec<Value>,
) -> RedisResult<Vec<Value>> {
    if let (true, [Value::ServerError(error)]) = (commands.is_transaction(), &*values) {
        return Err(error.clone().into());
    }
    if values.iter().any(holds_error) {
        commands.query_async::<Value>(&mut Answered(Some(values.clone()))).await?;
    }
    Ok(values)
}

fn holds_error(value: &Value) -> bool {
    let items = if let Value::Array(items) = value { items.as_slice() } else { &[] };
    matches!(value, Value::ServerError(_)) || items.iter().any(holds_error)
}

/// A connection on which the answer to one pipeline has already come in.
struct Answered(Option<Vec<Value>>);

impl ConnectionLike for Answered {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async { Err(spent()) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async { self.0.take().ok_or_else(spent) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

fn spent() -> RedisError {
    (ErrorKind::Client, "the one answer was taken").into()
}
