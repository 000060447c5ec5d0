use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header::VARY};
use quick_cache::{Weighter, sync::Cache};

/// The request headers by which the answers of a target differ, as its responses have told.
///
/// It only says where to look: what is found there names its headers and values itself. So it may
/// forget.
#[derive(Debug)]
pub(super) struct Varied(Cache<Bytes, Arc<[HeaderName]>, ByBytes>);

/// What a kept answer says of the requests that it answers.
#[derive(Debug)]
pub(super) struct Variation {
    names: Arc<[HeaderName]>,
    values: Box<[u8]>,
}

/// A response that differs by more than these is kept for nobody.
const MOST_NAMES: usize = 16;
const LONGEST_NAME: usize = 64;
const USUAL_ITEMS: usize = 4 << 10;

impl Varied {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self(Cache::with_weighter(USUAL_ITEMS, most_bytes as u64, ByBytes))
    }

    /// By what the answers of this primary key differ.
    pub(super) fn names(&self, primary: &[u8]) -> Option<Arc<[HeaderName]>> {
        self.0.get(primary)
    }

    /// A response to this primary key differs by these. Returns all that are known.
    pub(super) fn learn(&self, primary: &[u8], names: &Arc<[HeaderName]>) -> Arc<[HeaderName]> {
        let known = self.names(primary).unwrap_or_default();
        if names.iter().all(|name| known.contains(name)) {
            return known;
        }
        let mut all: Vec<_> = known.iter().chain(names.iter()).cloned().collect();
        sort(&mut all);
        let all = if all.len() > MOST_NAMES { names.clone() } else { all.into() };
        self.0.insert(Bytes::copy_from_slice(primary), all.clone());
        all
    }
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Bytes, Arc<[HeaderName]>> for ByBytes {
    fn weight(&self, primary: &Bytes, names: &Arc<[HeaderName]>) -> u64 {
        const OWN: usize = 128;
        let names: usize =
            names.iter().map(|name| size_of::<HeaderName>() + name.as_str().len()).sum();
        (OWN + primary.len() + names) as u64
    }
}

/// The names in `Vary`. `None` if there is `*` among them, or what is no name, or too much.
pub(super) fn names(response: &HeaderMap) -> Option<Arc<[HeaderName]>> {
    let mut names = Vec::new();
    for line in response.get_all(VARY) {
        for name in line.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if name.is_empty() {
                continue;
            }
            if name == b"*" || name.len() > LONGEST_NAME || names.len() == MOST_NAMES {
                return None;
            }
            names.push(HeaderName::from_bytes(name).ok()?);
        }
    }
    sort(&mut names);
    Some(names.into())
}

fn sort(names: &mut Vec<HeaderName>) {
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
}

/// Hands out all values that a request has for these names, so that no two different requests hand
/// out the same. Ends when `take` has enough.
pub(super) fn values(
    names: &[HeaderName],
    request: &HeaderMap,
    mut take: impl FnMut(&[u8]) -> bool,
) -> bool {
    names.iter().all(|name| {
        let mut values = request.get_all(name).iter();
        take(name.as_str().as_bytes())
            && values.all(|value| {
                let length = (value.len() as u64).to_le_bytes();
                take(b"=") && take(&length) && take(value.as_bytes())
            })
            && take(b";")
    })
}

impl Variation {
    /// `None` if the values are longer than `limit`.
    pub(super) fn new(names: Arc<[HeaderName]>, request: &HeaderMap, limit: usize) -> Option<Self> {
        let mut all = Vec::new();
        let fits = values(&names, request, |part| {
            let fits = part.len() <= limit.saturating_sub(all.len());
            if fits {
                all.extend_from_slice(part);
            }
            fits
        });
        fits.then(|| Self { names, values: all.into_boxed_slice() })
    }

    /// Whether this request has the same values for all names.
    pub(super) fn matches(&self, request: &HeaderMap) -> bool {
        let mut rest = &*self.values;
        let same = values(&self.names, request, |part| match rest.strip_prefix(part) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        });
        same && rest.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.values.len() + self.names.len() * size_of::<HeaderName>()
    }
}
