use std::{
    fmt::{self, Write},
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A name that costs nothing to copy when it is a literal, and little when it is not.
#[derive(Clone)]
pub struct Name(Text);

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Name {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(name) => name,
            Text::Shared(name) => name,
        }
    }
}

/// The most bytes of a text that somebody else wrote which are kept.
const LONGEST_TEXT: usize = 256;

impl Name {
    /// What this prints, cut after 256 bytes.
    pub(crate) fn of(text: &dyn fmt::Display) -> Self {
        let mut cut = Cut { text: String::new(), is_full: false };
        // It ends with an error where it is cut.
        let _ = write!(cut, "{text}");
        Self::from(cut.text)
    }

    /// The first 256 bytes, if it is longer.
    pub(crate) fn cut(self) -> Self {
        if self.as_str().len() <= LONGEST_TEXT { self } else { Self::of(&self) }
    }
}

/// A text that stops growing at the last whole character within its limit.
struct Cut {
    text: String,
    is_full: bool,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = if self.is_full { 0 } else { LONGEST_TEXT - self.text.len() };
        let whole = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let kept = &text[..whole.unwrap_or(0)];
        self.text.push_str(kept);
        self.is_full |= kept.len() < text.len();
        if self.is_full { Err(fmt::Error) } else { Ok(()) }
    }
}

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Self {
        Self(Text::Static(name))
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Self {
        Self(Text::Shared(name))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_after_256_bytes_at_a_whole_character() {
        assert_eq!(Name::of(&"short").as_str(), "short");
        assert_eq!(Name::of(&"a".repeat(256)).as_str().len(), 256);
        assert_eq!(Name::of(&"a".repeat(257)).as_str().len(), 256);
        assert_eq!(Name::of(&"€".repeat(100)).as_str(), "€".repeat(85));
        assert_eq!(Name::from("€".repeat(100)).cut().as_str(), "€".repeat(85));
        let name = Name::from("b".repeat(256));
        assert_eq!(name.clone().cut(), name);
    }

    /// Does not care that it is told to stop.
    struct Stubborn;

    impl fmt::Display for Stubborn {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _ = f.write_str(&"a".repeat(255));
            let _ = f.write_str("€");
            f.write_str("b")
        }
    }

    #[test]
    fn nothing_comes_after_the_cut() {
        assert_eq!(Name::of(&Stubborn).as_str(), "a".repeat(255));
    }
}
