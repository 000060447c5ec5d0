use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// What the origin says of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Never fresh, stale for long.
    Stale,
    /// Fresh for a second, stale for long.
    Fresh,
    /// Never fresh, stale for a second.
    Short,
    /// Fresh for a second, never stale.
    Must,
    /// For its caller only.
    Alone,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Stale, Self::Fresh, Self::Short, Self::Must, Self::Alone];

    pub(crate) const fn cache_control(self) -> &'static str {
        match self {
            Self::Stale => "max-age=0, stale-if-error=120",
            Self::Fresh => "max-age=1, stale-if-error=120",
            Self::Short => "max-age=0, stale-if-error=1",
            Self::Must => "max-age=1, must-revalidate",
            Self::Alone => "no-store",
        }
    }

    pub(crate) const fn fresh_for(self) -> Duration {
        match self {
            Self::Fresh | Self::Must => Duration::from_secs(1),
            Self::Stale | Self::Short | Self::Alone => Duration::ZERO,
        }
    }

    /// How old a page may be that is served: its fresh and its stale time.
    pub(crate) const fn limit(self) -> Duration {
        match self {
            Self::Stale => Duration::from_secs(120),
            Self::Fresh => Duration::from_secs(121),
            Self::Short | Self::Must => Duration::from_secs(1),
            Self::Alone => Duration::ZERO,
        }
    }

    /// Whether there is always a page that may answer, once there was one.
    pub(crate) const fn is_covered(self) -> bool {
        match self {
            Self::Stale | Self::Fresh => true,
            Self::Short | Self::Must | Self::Alone => false,
        }
    }

    pub(crate) const fn may_be_stale(self) -> bool {
        match self {
            Self::Stale | Self::Fresh | Self::Short => true,
            Self::Must | Self::Alone => false,
        }
    }
}

/// Which page, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) number: usize,
    pub(crate) user: usize,
}

/// Pages of each kind that each user has.
pub(crate) const NUMBERS: usize = 4;
pub(crate) const USERS: usize = 2;

impl Key {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let users = |kind, number| (0..USERS).map(move |user| Self { kind, number, user });
        let numbers = move |kind| (0..NUMBERS).flat_map(move |number| users(kind, number));
        Kind::ALL.into_iter().flat_map(numbers)
    }

    pub(crate) fn any(random: &mut fastrand::Rng) -> Self {
        let kind = Kind::ALL[random.usize(..Kind::ALL.len())];
        Self { kind, number: random.usize(..NUMBERS), user: random.usize(..USERS) }
    }

    pub(crate) fn path(self) -> String {
        format!("/{}/{}", self.kind as usize, self.number)
    }

    pub(crate) fn read(path: &str, user: &str) -> Option<Self> {
        let (kind, number) = path.strip_prefix('/')?.split_once('/')?;
        let kind = *Kind::ALL.get(kind.parse::<usize>().ok()?)?;
        Some(Self { kind, number: number.parse().ok()?, user: user.parse().ok()? })
    }

    /// The bytes of its body.
    const fn length(self) -> usize {
        2048 + 9000 * self.number
    }

    /// Half of the bodies declare their length, the others come in chunks.
    pub(crate) const fn declares_length(self) -> bool {
        self.number.is_multiple_of(2)
    }
}

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn at(moment: Instant) -> Duration {
    moment.saturating_duration_since(*EPOCH)
}

/// One answer of the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) key: Key,
    pub(crate) serial: u64,
    /// When it was given.
    pub(crate) at: Duration,
}

impl Answer {
    pub(crate) fn new(key: Key, serial: u64) -> Self {
        Self { key, serial, at: Duration::from_micros(at(Instant::now()).as_micros() as u64) }
    }

    /// No two answers have the same; each is as long as the others of its key.
    pub(crate) fn body(&self) -> String {
        let Self { key, serial, at } = self;
        let line = format!("{} {} {serial:010} {:015}\n", key.path(), key.user, at.as_micros());
        let mut body = line.repeat(key.length() / line.len());
        body.push_str("end");
        body
    }

    /// `None` if it is not a whole body, or a mix of two.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let body = std::str::from_utf8(body).ok()?;
        let mut words = body.lines().next()?.split(' ');
        let (path, user) = (words.next()?, words.next()?);
        let serial = words.next()?.parse().ok()?;
        let at = Duration::from_micros(words.next()?.parse().ok()?);
        let answer = Self { key: Key::read(path, user)?, serial, at };
        (answer.body() == body).then_some(answer)
    }
}
