//! The walls of the house: imports point inwards, and what belongs in one place stays there.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use source::{Token, paths, tokens};

/// From the inside out. A module may name those further in, and itself.
const RINGS: [(Ring, &[&str]); 5] = [
    (Ring::Logic, &["logic"]),
    (Ring::Words, &["classify", "clock", "event"]),
    (Ring::Gate, &["gate"]),
    (Ring::Layers, &["circuit_breaker", "failover", "fallback", "health"]),
    (Ring::Adapters, &["grpc", "http", "redis"]),
];

/// What the front door, `lib.rs`, defines or hands out under its own name.
const ROOT: [&str; 6] =
    ["BoxError", "Classify", "Outcome", "ErrorsAreFailures", "Backoff", "Ratio"];

/// Who may look sideways, at what, and why.
const EXCEPTIONS: [(&str, &str, &str); 14] = [
    (
        "fallback",
        "circuit_breaker::Open",
        "a fallback for open circuits tells their refusal from other errors by downcast",
    ),
    ("failover", "circuit_breaker::Circuit", "each backend has a circuit of its own"),
    ("failover", "circuit_breaker::Permit", "which a call settles on its own outcome"),
    ("failover", "circuit_breaker::Open", "and whose refusal was certainly not sent"),
    ("failover", "health::Health", "each backend has a health of its own"),
    ("failover", "health::Unhealthy", "whose refusal was certainly not sent either"),
    ("fallback", "health::Unhealthy", "one for unhealthy targets does the same with theirs"),
    ("fallback", "health::HealthGateLayer", "and puts the gate that refuses under itself"),
    ("fallback", "health::Health", "which it makes of this"),
    ("grpc", "http::AtEnd", "gRPC is HTTP whose verdict stands in the trailers"),
    ("grpc", "http::Answer", "refusals of gRPC are answered by HTTP responses too"),
    ("grpc", "http::AnswerRefusalsLayer", "and by the same service"),
    ("grpc", "http::retry_after", "a proxy in between answers in plain HTTP"),
    ("grpc", "http::comes_back_after", "refusals say it in their errors, which both read alike"),
];

/// The one file that reads clocks.
const CLOCK: &str = "clock.rs";
/// The one file that speaks to a logging or metrics facade.
const LOG: &str = "event/log.rs";
const FACADES: [&str; 3] = ["tracing", "metrics", "log"];

const MOST_LINES: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ring {
    Logic,
    Words,
    Gate,
    Layers,
    Adapters,
}

fn ring(module: &str) -> Option<Ring> {
    RINGS.iter().find(|(_, modules)| modules.contains(&module)).map(|(ring, _)| *ring)
}

/// What is wrong with the file at `path` (from `src/`), one line each.
fn faults(path: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut faults = Vec::new();
    let lines = source.lines().count();
    if lines > MOST_LINES {
        faults.push(format!("{path}: {lines} lines, allowed are {MOST_LINES}"));
    }
    imports(path, &tokens, &mut faults);
    clocks(path, &tokens, &mut faults);
    spawns(path, &tokens, &mut faults);
    facades(path, &tokens, &mut faults);
    faults
}

/// `gate/held.rs` is the module `gate::held`, `gate/mod.rs` is `gate`, `lib.rs` is the root.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

fn imports(path: &str, tokens: &[Token], faults: &mut Vec<String>) {
    let module = module(path);
    let Some(own) = module.first() else { return };
    let Some(own_ring) = ring(own) else {
        faults.push(format!("{path}: module {own} has no place in RINGS"));
        return;
    };
    for named in paths(tokens, &module) {
        let Some(other) = named.names.first().filter(|other| *other != own) else { continue };
        let allowed = match ring(other) {
            Some(ring) if ring < own_ring => true,
            Some(ring) if ring == own_ring && ring == Ring::Words => true,
            None if ROOT.contains(&other.as_str()) => own_ring >= Ring::Words,
            Some(_) | None => EXCEPTIONS.iter().any(|(from, to, _)| {
                from == own && *to == named.names[..named.names.len().min(2)].join("::")
            }),
        };
        if !allowed {
            let name = named.names.join("::");
            faults.push(format!("{path}:{}: {own} names {name}", named.line));
        }
    }
}

fn texts<const N: usize>(tokens: &[Token], at: usize) -> Option<[&str; N]> {
    let window = tokens.get(at..at + N)?;
    Some(std::array::from_fn(|n| window[n].text.as_str()))
}

fn clocks(path: &str, tokens: &[Token], faults: &mut Vec<String>) {
    for at in 0..tokens.len() {
        let read = match texts(tokens, at) {
            Some([clock @ ("Instant" | "SystemTime"), "::", "now"]) => Some(clock),
            Some([".", "elapsed", "("]) => Some("elapsed"),
            _ => None,
        };
        if let Some(clock) = read
            && path != CLOCK
        {
            faults.push(format!("{path}:{}: reads a clock by {clock}", tokens[at].line));
        }
    }
}

fn spawns(path: &str, tokens: &[Token], faults: &mut Vec<String>) {
    let mut function = "";
    for at in 0..tokens.len() {
        if let Some(["fn", name]) = texts(tokens, at) {
            function = name;
        }
        let spawned = match texts(tokens, at) {
            Some(["::" | ".", spawn, "("]) => spawn.starts_with("spawn"),
            _ => false,
        };
        if spawned && !function.starts_with("spawn") {
            faults.push(format!("{path}:{}: `{function}` spawns", tokens[at].line));
        }
    }
}

fn facades(path: &str, tokens: &[Token], faults: &mut Vec<String>) {
    for at in 0..tokens.len() {
        let inside = at > 0 && tokens[at - 1].text == "::";
        if let Some([facade, "::" | "!"]) = texts(tokens, at)
            && FACADES.contains(&facade)
            && !inside
            && path != LOG
        {
            faults.push(format!("{path}:{}: speaks to {facade}", tokens[at].line));
        }
    }
}

/// The modules of unit tests, by the names that they have in this crate.
fn is_test(path: &Path) -> bool {
    ["tests", "loom_tests", "testing"].iter().any(|name| path.file_stem().unwrap() == *name)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            found.push(path);
        }
    }
}

#[test]
fn the_walls_stand() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    files.sort();
    assert!(files.len() > 40, "only {} files in {}", files.len(), src.display());
    let mut named = 0;
    let faults: Vec<_> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
            let source = fs::read_to_string(file).unwrap();
            named += paths(&tokens(&source), &module(&path)).len();
            faults(&path, &source)
        })
        .collect();
    assert!(named > 100, "only {named} paths into the crate were seen");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_exception_has_a_reason_and_a_module() {
    for (from, to, reason) in EXCEPTIONS {
        let target = to.split("::").next().unwrap();
        assert!(ring(from) == ring(target) && !reason.is_empty(), "{from} → {to}");
    }
}

/// Bad files, and the one thing that is wrong with each.
const TWINS: [(&str, &str, &str); 21] = [
    ("logic/a.rs", "use crate::clock;", "names clock"),
    ("logic/a.rs", "use crate::BoxError;", "names BoxError"),
    ("logic/a.rs", "use super::super::gate::Gate;", "names gate::Gate"),
    ("logic/mod.rs", "use super::event::Name;", "names event::Name"),
    ("event/a.rs", "use crate::{logic::{State}, gate::{self}};", "names gate"),
    ("classify.rs", "fn a() { crate::circuit_breaker::Circuit::new(\"a\"); }", "names circuit_br"),
    ("gate/a.rs", "pub use crate::{\n    clock,\n    fallback::Value,\n};", ":3: gate names fallb"),
    ("gate/a.rs", "fn a<'a>(_: &'a str) -> char { crate::redis::b('\"') }", "names redis::b"),
    ("circuit_breaker/a.rs", "use crate::fallback::Value;", "names fallback::Value"),
    ("fallback/a.rs", "use crate::circuit_breaker::Circuit;", "names circuit_breaker::Circuit"),
    ("fallback/a.rs", "use crate::redis;", "names redis"),
    ("redis/a.rs", "use crate::unheard_of::B;", "names unheard_of::B"),
    ("novel/mod.rs", "fn a() {}", "novel has no place"),
    ("gate/a.rs", "fn a() { std::time::Instant::now(); }", "reads a clock by Instant"),
    ("event/a.rs", "fn a() { SystemTime::now(); }", "reads a clock by SystemTime"),
    ("redis/a.rs", "fn a(b: Instant) { b.elapsed(); }", "reads a clock by elapsed"),
    ("redis/a.rs", "fn spawn() {} fn a() { tokio::spawn(async {}); }", "`a` spawns"),
    ("redis/a.rs", "fn a(set: &mut JoinSet<()>) { set.spawn_local(async {}); }", "`a` spawns"),
    ("gate/a.rs", "/* /* a */ */ fn a() { tracing::warn!(r#\"\"#); }", "speaks to tracing"),
    ("fallback/a.rs", "fn a() { metrics::counter!(\"a\"); }", "speaks to metrics"),
    ("event/a.rs", "#[cfg(feature = \"b\")] fn a() { log::warn!(\"a\"); }", "speaks to log"),
];

#[test]
fn twin_seeded_faults_are_found() {
    for (path, source, fault) in TWINS {
        let found = faults(path, source);
        assert_eq!(found.len(), 1, "{path}: {source}\n{found:?}");
        assert!(found[0].contains(fault), "{path}: {source}\n{found:?}");
    }
    let long = "//\n".repeat(MOST_LINES + 1);
    assert_eq!(faults("gate/a.rs", &long), ["gate/a.rs: 401 lines, allowed are 400"]);
}

/// Files that only look bad.
const GOOD: [(&str, &str); 12] = [
    ("logic/a.rs", "// use crate::gate::Gate;\n/// [`Gate`](crate::gate::Gate)\nfn a() {}"),
    ("logic/a.rs", "/* use crate::gate; /* */ */ const A: &str = \"crate::gate::Gate\";"),
    ("logic/a.rs", "const A: (char, &str) = ('\"', r#\"crate::gate\"\"#);"),
    ("logic/a.rs", "#[cfg(test)]\nmod tests { use crate::gate::Gate; fn a() {} }"),
    ("logic/a.rs", "#[cfg(all(test, not(b)))]\n#[path = \"b\"]\nmod tests;"),
    ("logic/a/b.rs", "use super::super::c; pub(crate) use super::{d, super::e};"),
    ("event/a.rs", "use crate::{BoxError, logic::State, classify::Outcome};"),
    ("circuit_breaker/a.rs", "use crate::{clock, event::Name, gate::Gate, logic::Moment};"),
    ("fallback/a.rs", "use crate::circuit_breaker::Open;"),
    ("redis/a.rs", "use crate::{fallback::Value, circuit_breaker::Circuit};"),
    ("clock.rs", "fn a() { std::time::Instant::now(); }"),
    ("redis/a.rs", "fn spawn_here() { tokio::spawn(async {}); }"),
];

#[test]
fn twin_what_only_looks_bad_is_let_pass() {
    for (path, source) in GOOD {
        assert_eq!(faults(path, source), [""; 0], "{path}: {source}");
    }
}

#[test]
fn twin_what_comes_after_tests_is_seen_again() {
    let source = "#[cfg(test)]\nmod tests { fn a() { { } } }\nuse crate::gate::Gate;";
    assert_eq!(faults("logic/a.rs", source), ["logic/a.rs:3: logic names gate::Gate"]);
}
