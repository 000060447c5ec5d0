use std::{
    fmt,
    hash::{Hash, Hasher},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Uri, header::HOST};

use super::vary;
use crate::event::Name;

/// What tells one page from another: method, target, principal, and the headers by which it varies.
///
/// Cheap to clone. It shows nothing of what it is made of, since that may be secret.
#[derive(Clone)]
pub struct PageKey {
    bytes: Bytes,
    /// The target ends here, and the method and the principal follow.
    target: usize,
    /// These end here, and the headers follow.
    primary: usize,
}

/// Longer keys are not made: their requests have nothing to do with the cache.
const LONGEST: usize = 8 << 10;

impl PageKey {
    /// `None` if it would be too long, or if it is not clear which host is meant.
    pub(super) fn new(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        principal: Option<&str>,
    ) -> Option<Self> {
        let room = 2 + principal.map_or(0, |principal| size_of::<u64>() + principal.len());
        let mut bytes = target(uri, headers, room)?;
        let target = bytes.len();
        bytes.push(if *method == Method::HEAD { b'H' } else { b'G' });
        match principal {
            Some(principal) => {
                bytes.push(b'+');
                bytes.extend_from_slice(&(principal.len() as u64).to_le_bytes());
                bytes.extend_from_slice(principal.as_bytes());
            }
            None => bytes.push(b'-'),
        }
        let primary = bytes.len();
        (primary <= LONGEST).then(|| Self { bytes: bytes.into(), target, primary })
    }

    /// The key of the page that this request means. `None` if it would be too long.
    pub(super) fn varied(&self, names: &[HeaderName], headers: &HeaderMap) -> Option<Self> {
        if names.is_empty() && self.bytes.len() == self.primary {
            return Some(self.clone());
        }
        let mut bytes = self.primary().to_vec();
        let fits = vary::values(names, headers, |part| {
            let fits = bytes.len() + part.len() <= LONGEST;
            if fits {
                bytes.extend_from_slice(part);
            }
            fits
        });
        fits.then(|| Self { bytes: bytes.into(), ..*self })
    }

    /// What is the same for all variants of a page.
    pub(super) fn primary(&self) -> &[u8] {
        &self.bytes[..self.primary]
    }

    /// Whether only one principal is answered by it.
    pub(super) fn names_principal(&self) -> bool {
        self.bytes[self.target + 1] == b'+'
    }

    /// The tag of everything that is kept of this target.
    pub(super) fn tag(&self) -> Name {
        tag(&self.bytes[..self.target])
    }

    /// The number of bytes it has on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// The tag of everything that is kept of a target: the host that is meant, and the path.
///
/// The same for all protocols, since a server sees the host in the target over HTTP/2 and in a
/// header over HTTP/1.
pub(super) fn tag(target: &[u8]) -> Name {
    let mut parts = target.split(|byte| *byte == b'\n').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    let (authority, header, path) = (next(), next(), next());
    let host = if authority.is_empty() { header } else { authority };
    let host = host.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    let port = [b":80".as_slice(), b":443", b":"].into_iter().find(|it| host.ends_with(it));
    let host = &host[..host.len() - port.map_or(0, <[u8]>::len)];
    let text = [&host.to_ascii_lowercase(), b"\n".as_slice(), path].concat();
    String::from_utf8_lossy(&text).into_owned().into()
}

/// The target as text. Inside a server the host stands in a header only, so both that and the
/// authority belong to it. No part has a line feed in it.
pub(super) fn target(uri: &Uri, headers: &HeaderMap, room: usize) -> Option<Vec<u8>> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match hosts.next() {
        Some(host) => host.to_str().ok()?,
        None => "",
    };
    if hosts.next().is_some() {
        return None;
    }
    let (scheme, path) = (uri.scheme_str().unwrap_or_default(), uri.path_and_query());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let path = path.map_or("", |path| path.as_str());
    let length = scheme.len() + authority.len() + host.len() + path.len() + 4;
    let mut target = Vec::with_capacity(length + room);
    for part in [scheme, authority, host] {
        let begin = target.len();
        target.extend_from_slice(part.as_bytes());
        // What stands before an `@` is no host: it is left as it is.
        if !part.contains('@') {
            target[begin..].make_ascii_lowercase();
        }
        target.push(b'\n');
    }
    target.extend_from_slice(path.as_bytes());
    target.push(b'\n');
    Some(target)
}

impl PartialEq for PageKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PageKey {}

impl Hash for PageKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageKey").finish_non_exhaustive()
    }
}
