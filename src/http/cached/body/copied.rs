use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// A whole body, as it was read: its bytes, and its trailers.
///
/// It owns what it holds, and holds no buffer of a connection.
#[derive(Clone)]
pub(crate) struct Copied {
    pub(super) data: Bytes,
    pub(super) trailers: Option<Arc<HeaderMap>>,
    len: usize,
}

/// A guess: what a header map needs for an entry besides its name and value.
const ENTRY: usize = 64;

impl Copied {
    pub(super) fn new(data: Vec<u8>, trailers: Option<HeaderMap>) -> Self {
        let len = data.len() + trailers.as_ref().map_or(0, weight);
        // A boxed slice has no room that is not used.
        let data = Bytes::from(data.into_boxed_slice());
        Self { data, trailers: trailers.map(Arc::new), len }
    }

    /// No body at all.
    pub(crate) const fn empty() -> Self {
        Self { data: Bytes::new(), trailers: None, len: 0 }
    }

    /// The length of the body, without its trailers.
    pub(crate) fn data_len(&self) -> usize {
        self.data.len()
    }

    /// What came after the body.
    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_deref()
    }

    /// The bytes it has on the heap, about.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

/// The bytes that headers have on the heap, about.
pub(super) fn weight(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ENTRY)
        .fold(0, usize::saturating_add)
}

/// The same headers in memory of their own: those of a connection are slices of its buffers.
///
/// `None` if there are more than a map has room for.
pub(super) fn owned(headers: &HeaderMap) -> Option<HeaderMap> {
    let mut owned = HeaderMap::try_with_capacity(headers.keys_len()).ok()?;
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        let mut copy = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        copy.set_sensitive(value.is_sensitive());
        owned.try_append(name, copy).ok()?;
    }
    Some(owned)
}

/// Shows no content.
impl fmt::Debug for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copied").field("len", &self.len).finish_non_exhaustive()
    }
}
