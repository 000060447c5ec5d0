//! Just enough of Rust to see what a file names: words and punctuation, without comments, strings,
//! and what only tests compile.

use std::iter::Peekable;

/// A word or a sign of a source file, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// The tokens of a file that end up in the crate. `::` is one token, every other sign is its own.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    without_tests(lex(source))
}

fn lex(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = string(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let length = length.unwrap_or(rest.len());
            tokens.push(Token { text: rest[..length].to_owned(), line });
            length
        } else if first.is_whitespace() {
            first.len_utf8()
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            tokens.push(Token { text: rest[..length].to_owned(), line });
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of the string or character that `rest` begins with; a lifetime is none.
fn string(rest: &str) -> Option<usize> {
    let body = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - body.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let open = prefix + 2 + hashes;
        return Some(rest[open..].find(&end).map_or(rest.len(), |at| open + at + end.len()));
    }
    let quote = body.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        if quote == '\'' && at > 1 && !body[1..].starts_with('\\') && c != '\'' {
            return None;
        }
        if c == quote && !escaped {
            return Some(prefix + at + 1);
        }
        escaped = c == '\\' && !escaped;
    }
    Some(rest.len())
}

/// Leaves out every item under `#[cfg(test)]`, or under an `all(…)` that asks for it.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        if token.text != "#" {
            kept.push(token);
            continue;
        }
        let mut attribute = vec![token];
        take_group(&mut rest, &mut attribute);
        let words: Vec<_> = attribute.iter().map(|token| token.text.as_str()).collect();
        let only_tests = matches!(words[..], ["#", "[", "cfg", "(", "test", ..])
            || matches!(words[..], ["#", "[", "cfg", "(", "all", "(", "test", ..]);
        if only_tests {
            skip_item(&mut rest);
        } else {
            kept.extend(attribute);
        }
    }
    kept
}

/// Takes up to the bracket that closes the first one.
fn take_group(rest: &mut Peekable<impl Iterator<Item = Token>>, taken: &mut Vec<Token>) {
    let mut depth = 0;
    for token in rest.by_ref() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        taken.push(token);
        if depth == 0 && taken.len() > 2 {
            return;
        }
    }
}

fn skip_item(rest: &mut Peekable<impl Iterator<Item = Token>>) {
    let mut depth = 0;
    for token in rest.by_ref() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return;
                }
            }
            ";" if depth == 0 => return,
            _ => {}
        }
    }
}

/// A path that a file names, from the root of the crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) names: Vec<String>,
    pub(crate) line: usize,
}

/// Every path into the crate, however it is written: `crate::…`, `super::…`, nested in `use`.
///
/// `module` is the path of the file's own module.
pub(crate) fn paths(tokens: &[Token], module: &[String]) -> Vec<Path> {
    let mut paths = Vec::new();
    for at in 0..tokens.len() {
        let follows = |text| tokens.get(at + 1).is_some_and(|next| next.text == text);
        let inside = at > 0 && ["::", "$"].contains(&tokens[at - 1].text.as_str());
        let root: &[String] = match tokens[at].text.as_str() {
            "crate" => &[],
            "super" => &module[..module.len().saturating_sub(1)],
            _ => continue,
        };
        if follows("::") && !inside {
            tree(tokens, at + 2, root.to_vec(), &mut paths);
        }
    }
    paths
}

/// Reads a tree of names that begins at `at`; returns where it ends.
fn tree(tokens: &[Token], mut at: usize, mut names: Vec<String>, paths: &mut Vec<Path>) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = tree(tokens, at, names.clone(), paths);
                    while tokens.get(at).is_some_and(|token| ![",", "}"].contains(&&*token.text)) {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at).is_some_and(|token| token.text == ","));
                }
                return at + 1;
            }
            "super" => drop(names.pop()),
            "self" | "*" => {}
            name => names.push(name.to_owned()),
        }
        let line = token.line;
        at += 1;
        if tokens.get(at).is_none_or(|next| next.text != "::") {
            paths.push(Path { names, line });
            return at;
        }
        at += 1;
    }
    at
}
