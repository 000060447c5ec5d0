/// Whether a call that failed may be made again, on another backend.
///
/// A call that was refused before it was sent (by a circuit, by its health, by a backend that could
/// not get ready) goes to another backend whatever this says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// Never. Such a request is not copied either.
    Never,
    /// Only when it is certain that the call did nothing, as after a refused connection.
    ///
    /// For requests that must not run twice, such as `INCR` or `POST`.
    #[default]
    IfNotApplied,
    /// After every failure: running it twice does what running it once does.
    ///
    /// For reads, and for writes that are idempotent.
    Always,
}
