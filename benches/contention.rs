//! One circuit under several threads.
fn main() {}
