/// Marks a response that the origin gave because nothing kept could answer its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forwarded {
    /// It will be kept, if its body ends well.
    pub(super) is_kept: bool,
}
