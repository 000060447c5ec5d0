use std::{
    error::Error,
    fmt::{self, Write},
    iter,
};

use super::{Name, caught};

/// As much of a text is kept.
const LONGEST: usize = 256;

/// As much of it is read: of an address that is cut off it cannot be told whether it holds a password.
const MOST_READ: usize = 4 * LONGEST;

/// An error and its sources in one line, without credentials.
pub(crate) fn of_error(error: &(dyn Error + 'static)) -> Name {
    try_of_error(error).unwrap_or(Name::from(""))
}

/// The same; `None` if it panics before it says anything.
pub(crate) fn try_of_error(error: &(dyn Error + 'static)) -> Option<Name> {
    of(|reader| {
        let mut sources = iter::successors(Some(error), |error| (*error).source());
        write!(reader, "{}", sources.next().map_or(&"" as &dyn fmt::Display, |error| error as _))?;
        sources.try_for_each(|source| write!(reader, ": {source}"))
    })
}

/// What somebody wrote, without credentials.
pub(crate) fn of_words(words: &(impl fmt::Display + ?Sized)) -> Name {
    of(|reader| write!(reader, "{words}")).unwrap_or(Name::from(""))
}

/// A text that panics when it is written ends there.
fn of(write: impl FnOnce(&mut Reader) -> fmt::Result) -> Option<Name> {
    let mut reader = Reader::default();
    let written = caught(|| write(&mut reader));
    let mut text = without_credentials(&reader.text, reader.is_full);
    text.truncate(text.floor_char_boundary_at(LONGEST));
    (written.is_some() || !text.is_empty()).then(|| Name::from(text))
}

#[derive(Default)]
struct Reader {
    text: String,
    is_full: bool,
}

impl fmt::Write for Reader {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = if self.is_full { 0 } else { MOST_READ - self.text.len() };
        let end = text.floor_char_boundary_at(room);
        self.text.push_str(&text[..end]);
        self.is_full |= end < text.len();
        if self.is_full { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Leaves out of each address what stands before an `@`, and an address that is cut off.
///
/// A password may hold whatever could end an address, except for a space: up to that everything is
/// taken for the address, rather too much than too little.
fn without_credentials(text: &str, is_cut: bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (scheme, after) = rest.split_at(at + 3);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (address, next) = after.split_at(end);
        kept.push_str(scheme);
        match address.rfind('@') {
            Some(at) => kept.push_str(&address[at + 1..]),
            None if is_cut && next.is_empty() => {}
            None => kept.push_str(address),
        }
        rest = next;
    }
    kept + rest
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, most: usize) -> usize;
}

impl FloorCharBoundary for str {
    fn floor_char_boundary_at(&self, most: usize) -> usize {
        let most = most.min(self.len());
        (0..=most).rev().find(|end| self.is_char_boundary(*end)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_user_and_its_password() {
        for (text, kept) in [
            ("cannot reach redis://:secret@eu:6379/0", "cannot reach redis://eu:6379/0"),
            ("\"http://a:b@c\" and https://d:e/f@g", "\"http://c\" and https://g"),
            ("at redis://:it's-secret@eu:6379, twice", "at redis://eu:6379, twice"),
            ("<redis://:a\"b'c`d<e>f@g@eu> is away", "<redis://eu> is away"),
            ("redis://:'://secret@eu", "redis://eu"),
            ("http://eu/path and mail@example", "http://eu/path and mail@example"),
            ("no address", "no address"),
            ("", ""),
        ] {
            assert_eq!(of_words(text).as_str(), kept);
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_and_no_password_is_cut_in_two() {
        let long = "ä".repeat(LONGEST);
        assert_eq!(of_words(&long).as_str(), "ä".repeat(LONGEST / 2));
        assert_eq!(of_words(&format!("a{long}")).as_str().len(), LONGEST - 1);
        for at in 0..2 * MOST_READ {
            let text = format!("{}redis://user:secret@eu", "-".repeat(at));
            assert!(!of_words(&text).as_str().contains("sec"), "{at}");
        }
    }

    #[test]
    fn an_error_is_told_with_its_sources() {
        #[derive(Debug)]
        struct Failed(std::io::Error);
        impl fmt::Display for Failed {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a call failed")
            }
        }
        impl Error for Failed {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = Failed(std::io::Error::other("refused"));
        assert_eq!(of_error(&error).as_str(), "a call failed: refused");
    }

    #[test]
    fn a_text_that_panics_ends_there() {
        #[derive(Debug)]
        struct Rude;
        impl fmt::Display for Rude {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("so far")?;
                panic!("rude")
            }
        }
        impl Error for Rude {}
        assert_eq!(of_error(&Rude).as_str(), "so far");
    }

    /// Does not care that it is told to stop.
    struct Stubborn;

    impl fmt::Display for Stubborn {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _ = f.write_str(&"a".repeat(MOST_READ - 1));
            let _ = f.write_str("€");
            f.write_str("b")
        }
    }

    #[test]
    fn a_text_is_cut_after_256_bytes_and_nothing_comes_after_the_cut() {
        assert_eq!(of_words(&"a".repeat(256)).as_str().len(), 256);
        assert_eq!(of_words(&"a".repeat(257)).as_str().len(), 256);
        assert_eq!(of_words(&"€".repeat(100)).as_str(), "€".repeat(85));
        let mut reader = Reader::default();
        let _ = write!(reader, "{Stubborn}");
        assert_eq!(reader.text, "a".repeat(MOST_READ - 1));
    }
}
