use http::{HeaderMap, HeaderName, header};

/// Who asks. What he is called stands in every page that is his, and in no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Alice,
    Bob,
    /// Somebody without credentials.
    Nobody,
}

/// How callers say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Cookie,
    /// Two lines of cookies, the first of which is the same for all.
    SplitCookie,
    Authorization,
    Both,
    /// Alice by a cookie, Bob by an `Authorization`.
    Mixed,
}

impl By {
    pub(crate) const ALL: [Self; 5] =
        [Self::Cookie, Self::SplitCookie, Self::Authorization, Self::Both, Self::Mixed];

    pub(crate) const fn asks_for_heads(self, is_http2: bool) -> bool {
        match self {
            Self::Cookie | Self::Both => is_http2,
            Self::SplitCookie | Self::Authorization => !is_http2,
            Self::Mixed => false,
        }
    }
}

impl Caller {
    /// Names of users are of one length, so that nothing but their letters tells them apart.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bobby",
            Self::Nobody => "nobody",
        }
    }

    /// Users whose pages this caller must never see a part of.
    pub(crate) fn others(self) -> impl Iterator<Item = &'static str> {
        [Self::Alice, Self::Bob].into_iter().filter(move |it| *it != self).map(Self::name)
    }

    pub(crate) fn credentials(self, by: By) -> Vec<(HeaderName, String)> {
        let cookie = || (header::COOKIE, format!("session={}", self.name()));
        let token = || (header::AUTHORIZATION, format!("Bearer {}", self.name()));
        match (self, by) {
            (Self::Nobody, _) => Vec::new(),
            (_, By::Cookie) | (Self::Alice, By::Mixed) => vec![cookie()],
            (_, By::SplitCookie) => vec![(header::COOKIE, "theme=dark".to_owned()), cookie()],
            (_, By::Authorization) | (Self::Bob, By::Mixed) => vec![token()],
            (_, By::Both) => vec![cookie(), token()],
        }
    }
}

/// Whom these headers name.
pub(crate) fn caller_of(headers: &HeaderMap) -> Caller {
    let cookies = headers.get_all(header::COOKIE).iter();
    let credentials = cookies.chain(headers.get(header::AUTHORIZATION));
    let texts: Vec<_> = credentials.map(|value| value.to_str().unwrap()).collect();
    let names = |caller: &Caller| texts.iter().any(|text| text.ends_with(caller.name()));
    [Caller::Alice, Caller::Bob].into_iter().find(names).unwrap_or(Caller::Nobody)
}
