use http::{HeaderName, Method, header};

use crate::caller::{By, Caller};

const SCENES: [(Timing, [Caller; 3]); 7] = [
    (Timing::InTurn, [Caller::Alice, Caller::Bob, Caller::Nobody]),
    (Timing::InTurn, [Caller::Bob, Caller::Nobody, Caller::Alice]),
    (Timing::InTurn, [Caller::Nobody, Caller::Alice, Caller::Bob]),
    (Timing::AtOnce, [Caller::Alice, Caller::Bob, Caller::Nobody]),
    (Timing::AtOnce, [Caller::Nobody, Caller::Bob, Caller::Alice]),
    (Timing::FirstLeaves, [Caller::Alice, Caller::Bob, Caller::Nobody]),
    (Timing::FirstLeaves, [Caller::Nobody, Caller::Bob, Caller::Alice]),
];

fn pairs<A: Copy, B: Copy>(one: &[A], other: &[B]) -> impl Iterator<Item = (A, B)> {
    one.iter().flat_map(|a| other.iter().map(|b| (*a, *b)))
}

/// What the origin says of its pages, besides for how long they are fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Nothing,
    Public,
    VaryCookie,
    VaryAuthorization,
    VaryBoth,
    PublicVaryBoth,
    VaryAnything,
    SetCookie,
    PublicSetCookie,
    Private,
    NoStore,
    /// The page is the same for everybody.
    Common,
}

/// How callers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    InTurn,
    AtOnce,
    /// At once, and the first one leaves before he is answered.
    FirstLeaves,
}

/// One page of the origin, and how it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) id: usize,
    pub(crate) says: Says,
    /// Seconds for which the page is fresh.
    pub(crate) max_age: u32,
    pub(crate) by: By,
    pub(crate) order: [Caller; 3],
    pub(crate) timing: Timing,
    pub(crate) is_head: bool,
}

impl Says {
    pub(crate) const ALL: [Self; 12] = [
        Self::Nothing,
        Self::Public,
        Self::VaryCookie,
        Self::VaryAuthorization,
        Self::VaryBoth,
        Self::PublicVaryBoth,
        Self::VaryAnything,
        Self::SetCookie,
        Self::PublicSetCookie,
        Self::Private,
        Self::NoStore,
        Self::Common,
    ];

    pub(crate) fn headers(self, max_age: &str, user: &str) -> Vec<(HeaderName, String)> {
        let word = match self {
            Self::Public | Self::PublicVaryBoth | Self::PublicSetCookie | Self::Common => "public",
            Self::Private => "private",
            Self::NoStore => "no-store",
            Self::Nothing
            | Self::VaryCookie
            | Self::VaryAuthorization
            | Self::VaryBoth
            | Self::VaryAnything
            | Self::SetCookie => "stale-if-error=600",
        };
        let control = (header::CACHE_CONTROL, format!("{word}, max-age={max_age}"));
        let more = match self {
            Self::VaryCookie => (header::VARY, "Cookie".to_owned()),
            Self::VaryAuthorization => (header::VARY, "Authorization".to_owned()),
            Self::VaryBoth | Self::PublicVaryBoth => {
                (header::VARY, "Accept-Encoding, authorization ,COOKIE".to_owned())
            }
            Self::VaryAnything => (header::VARY, "*".to_owned()),
            Self::SetCookie | Self::PublicSetCookie => {
                (header::SET_COOKIE, format!("session={user}"))
            }
            Self::Nothing | Self::Public | Self::Private | Self::NoStore | Self::Common => {
                return vec![control];
            }
        };
        vec![control, more]
    }

    /// Whether a cache that was told that answers are the same for everybody can know from the
    /// origin that these are not. Where it cannot, the table has nothing to ask.
    pub(crate) fn tells_users_apart(self, by: By) -> bool {
        let all_have_tokens = by == By::Authorization || by == By::Both;
        match self {
            Self::Public => false,
            // The answer to an `Authorization` is for others only if it says so.
            Self::Nothing | Self::VaryAuthorization => all_have_tokens,
            Self::VaryCookie
            | Self::VaryBoth
            | Self::PublicVaryBoth
            | Self::VaryAnything
            | Self::SetCookie
            | Self::PublicSetCookie
            | Self::Private
            | Self::NoStore
            | Self::Common => true,
        }
    }
}

impl Says {
    /// Whether nothing forbids to keep the page of a caller without credentials.
    pub(crate) fn may_answer_all(self) -> bool {
        match self {
            Self::Nothing
            | Self::Public
            | Self::VaryCookie
            | Self::VaryAuthorization
            | Self::VaryBoth
            | Self::PublicVaryBoth
            | Self::Common => true,
            Self::VaryAnything
            | Self::SetCookie
            | Self::PublicSetCookie
            | Self::Private
            | Self::NoStore => false,
        }
    }

    /// Whether pages differ by one of these headers, as the origin says.
    pub(crate) fn varies_by(self, headers: &[(HeaderName, String)]) -> bool {
        let varies = |name: &HeaderName| match self {
            Self::VaryCookie => name == header::COOKIE,
            Self::VaryAuthorization => name == header::AUTHORIZATION,
            Self::VaryBoth | Self::PublicVaryBoth => true,
            Self::Nothing
            | Self::Public
            | Self::VaryAnything
            | Self::SetCookie
            | Self::PublicSetCookie
            | Self::Private
            | Self::NoStore
            | Self::Common => false,
        };
        headers.iter().any(|(name, _)| varies(name))
    }
}

impl Cell {
    /// The table for one version of HTTP. Only some callers ask for heads, others in each version.
    pub(crate) fn all(is_http2: bool) -> Vec<Self> {
        let mut cells = Vec::new();
        for says in Says::ALL {
            for max_age in [0, 600] {
                for (by, (timing, order)) in pairs(&By::ALL, &SCENES) {
                    let mut add = |is_head| {
                        let id = cells.len();
                        cells.push(Self { id, says, max_age, by, order, timing, is_head });
                    };
                    add(false);
                    if by.asks_for_heads(is_http2) {
                        add(true);
                    }
                }
            }
        }
        cells
    }

    pub(crate) const fn method(&self) -> Method {
        if self.is_head { Method::HEAD } else { Method::GET }
    }

    /// Tells the origin all that it has to know.
    pub(crate) fn path(&self) -> String {
        let says = Says::ALL.into_iter().position(|it| it == self.says).unwrap();
        format!("/{}/{says}/{}", self.id, self.max_age)
    }
}
