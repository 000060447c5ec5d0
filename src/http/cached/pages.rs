use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use http::{HeaderName, Request};

use super::{Head, PageKey, key, scope::Scope, settings::Settings, vary::Varied};
use crate::event::Name;

/// Keeps the answers to `GET` and `HEAD` requests as HTTP says that a shared cache may.
///
/// See the [module](super) for the rules. `B` is the body under
/// [`Body`](super::Body).
///
/// | setting | default |
/// |---|---|
/// | [`public`](Self::public), [`principal`](Self::principal) | neither: callers who say who they are pass by |
/// | [`body_limit`](Self::body_limit) | 256 KiB |
/// | [`head_limit`](Self::head_limit) | 32 KiB |
/// | [`fresh_for`](Self::fresh_for) | 0 |
/// | [`stale_for`](Self::stale_for) | 10 min |
/// | [`longest_fresh_for`](Self::longest_fresh_for) | 1 day |
/// | [`longest_stale_for`](Self::longest_stale_for) | 1 day |
/// | [`tags_from`](Self::tags_from) | nowhere |
/// | [`vary_limit`](Self::vary_limit) | 4 MiB |
///
/// ```
/// use std::time::Duration;
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower_failover::{
///     BoxError,
///     fallback::{FallbackLayer, cached::Cached},
///     http::cached::{Page, Pages},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let cache = Page::cache("pages").spawn();
/// let pages = Pages::<Full<Bytes>>::new().stale_for(Duration::from_secs(3600));
/// let layer = FallbackLayer::new(Cached::with(cache, pages)).served();
/// # let _ = layer;
/// # }
/// ```
pub struct Pages<B> {
    shared: Arc<Shared>,
    body: PhantomData<fn() -> B>,
}

pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) varied: Varied,
}

impl<B> Pages<B> {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Settings::DEFAULT)
    }

    fn with(settings: Settings) -> Self {
        let varied = Varied::new(settings.vary_limit);
        let shared = Shared { settings, varied };
        Self { shared: Arc::new(shared), body: PhantomData }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(super) fn varied(&self) -> &Varied {
        &self.shared.varied
    }

    /// Declares that the answers are the same for everybody, whatever cookies and credentials a
    /// caller sends.
    ///
    /// What a response says of itself still holds: one that is `private` or sets a cookie is not
    /// kept, nor is the answer to an `Authorization` that is not `public`.
    #[must_use]
    pub fn public(self) -> Self {
        self.set(|settings| settings.scope = Scope::Public)
    }

    /// Keeps the answers of each principal apart from those of all others.
    ///
    /// `who` names the principal of a request: a user id, say, that a layer above has put into the
    /// [extensions](Head::extensions), and which was verified there. It has to tell callers apart
    /// by everything that their answers differ by, client certificates and API keys too. `None` and
    /// the empty name stand for nobody: such a request passes by if it has an `Authorization` or a
    /// `Cookie`, and shares the answers of the anonymous if it has not.
    ///
    /// ```
    /// use tower_failover::http::cached::{Head, Pages};
    ///
    /// #[derive(Clone)]
    /// struct User(String);
    ///
    /// let who = |head: &Head<'_>| head.extensions().get::<User>().map(|user| user.0.clone());
    /// let pages = Pages::<String>::new().principal(who);
    /// # let _ = pages;
    /// ```
    #[must_use]
    pub fn principal(
        self,
        who: impl Fn(&Head<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.set(|settings| settings.scope = Scope::Principal(Arc::new(who)))
    }

    /// Keeps no body that is longer than this many bytes.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        self.set(|settings| settings.body_limit = bytes)
    }

    /// Keeps no response whose headers are longer than this many bytes.
    #[must_use]
    pub fn head_limit(self, bytes: usize) -> Self {
        self.set(|settings| settings.head_limit = bytes)
    }

    /// How long a response is fresh that does not say it. Zero: only what says so is ever fresh.
    #[must_use]
    pub fn fresh_for(self, fresh_for: Duration) -> Self {
        self.set(|settings| settings.fresh_for = fresh_for)
    }

    /// How long a response that does not say it (by `stale-if-error`) answers failed calls after it
    /// stopped to be fresh. Zero: only what says so is ever served stale.
    #[must_use]
    pub fn stale_for(self, stale_for: Duration) -> Self {
        self.set(|settings| settings.stale_for = stale_for)
    }

    /// Nothing is fresh for longer, whatever the origin says.
    #[must_use]
    pub fn longest_fresh_for(self, longest: Duration) -> Self {
        self.set(|settings| settings.longest_fresh_for = longest)
    }

    /// Nothing is served stale for longer, whatever the origin says.
    #[must_use]
    pub fn longest_stale_for(self, longest: Duration) -> Self {
        self.set(|settings| settings.longest_stale_for = longest)
    }

    /// Takes the [tags](crate::fallback::cached::Terms::tag) of a page from this response header
    /// (`Cache-Tag`, `Surrogate-Key`), where commas and spaces stand between them.
    ///
    /// A response with more than 64 is not kept.
    #[must_use]
    pub fn tags_from(self, header: HeaderName) -> Self {
        self.set(|settings| settings.tags_from = Some(header))
    }

    /// Remembers of `Vary` this many bytes: by which headers the answers of a target differ.
    ///
    /// A target that varies takes about 130 bytes, the length of its key, and that of the names. A
    /// page whose target was forgotten is not found until its target is learned again: for more
    /// than some 20,000 targets that vary, make it larger.
    #[must_use]
    pub fn vary_limit(self, bytes: usize) -> Self {
        self.set(|settings| settings.vary_limit = bytes)
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings().clone();
        change(&mut settings);
        Self::with(settings)
    }

    /// The tag of everything that is kept of the target of this request, for
    /// [`invalidate_tag`](crate::fallback::cached::Cache::invalidate_tag): its host, from the URI or
    /// else from `Host`, and its path with the query, whatever the scheme. `None` if it is not
    /// clear which host is meant.
    pub fn tag_of<R>(&self, request: &Request<R>) -> Option<Name> {
        key::target(request.uri(), request.headers(), 0).map(|target| key::tag(&target))
    }

    pub(super) fn find_key(&self, head: &Head<'_>, has_credentials: bool) -> Option<PageKey> {
        let principal = self.settings().scope.admit(head, has_credentials)?;
        let key = PageKey::new(head.method(), head.uri(), head.headers(), principal.as_deref())?;
        match self.varied().names(key.primary()) {
            Some(names) => key.varied(&names, head.headers()),
            None => Some(key),
        }
    }
}

impl<B> Default for Pages<B> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shares what is known of `Vary`.
impl<B> Clone for Pages<B> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), body: PhantomData }
    }
}

impl<B> fmt::Debug for Pages<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("settings", self.settings()).finish_non_exhaustive()
    }
}
