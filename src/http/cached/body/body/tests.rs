use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::Body;
use crate::http::cached::body::{Copied, Framing, TooLarge, copied::weight};

#[derive(Clone, Debug)]
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Pending,
    Fails,
    Panics,
}

use Step::{Data, Fails, Panics, Pending, Trailers};

/// A body that does as its script says.
#[derive(Clone, Debug, Default)]
struct Script {
    steps: VecDeque<Step>,
    hint: SizeHint,
    /// Says that it has ended as soon as it has.
    knows_its_end: bool,
    /// The end arrived after the last frame.
    ended_late: Arc<AtomicBool>,
}

impl Script {
    fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    fn declares(self, length: u64) -> Self {
        Self { hint: SizeHint::with_exact(length), ..self }
    }
}

impl HttpBody for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(match self.steps.pop_front() {
            Some(Data(data)) => Some(Ok(Frame::data(data))),
            Some(Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Pending) => return Poll::Pending,
            Some(Fails) => Some(Err("the body is cut")),
            Some(Panics) => panic!("the body panics"),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended_late.load(Ordering::SeqCst) || self.knows_its_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

/// What a reader sees of one poll.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Data(Bytes),
    Trailers(HeaderMap),
    Pending,
    Failed(&'static str),
    Panicked,
    End,
}

fn poll<B: HttpBody<Data = Bytes, Error = &'static str> + Unpin>(body: &mut B) -> Seen {
    let mut cx = Context::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(&mut cx))) {
        Err(_) => Seen::Panicked,
        Ok(Poll::Pending) => Seen::Pending,
        Ok(Poll::Ready(None)) => Seen::End,
        Ok(Poll::Ready(Some(Err(error)))) => Seen::Failed(error),
        Ok(Poll::Ready(Some(Ok(frame)))) => match frame.into_data() {
            Ok(data) => Seen::Data(data),
            Err(frame) => Seen::Trailers(frame.into_trailers().unwrap()),
        },
    }
}

/// What one poll gave, and what the body said of itself before it.
type Row = (Option<u64>, bool, Seen);

/// Polls up to so many times, also after errors and panics, until the end.
fn read<B>(body: &mut B, polls: usize, asks: bool) -> Vec<Row>
where
    B: HttpBody<Data = Bytes, Error = &'static str> + Unpin,
{
    let mut rows = Vec::new();
    while rows.len() < polls && rows.last().is_none_or(|(_, _, seen)| *seen != Seen::End) {
        let ended = asks && body.is_end_stream();
        rows.push((body.size_hint().exact(), ended, poll(body)));
    }
    rows
}

/// What `done` was told, and whether it is gone.
#[derive(Clone, Debug, Default)]
struct Receiver {
    copies: Arc<std::sync::Mutex<Vec<Copied>>>,
    too_large: Arc<AtomicBool>,
    alive: Arc<()>,
}

impl Receiver {
    fn done(&self) -> impl FnOnce(Result<Copied, TooLarge>) + Send + 'static + use<> {
        let Self { copies, alive, too_large } = self.clone();
        move |copied| {
            match copied {
                Ok(copied) => copies.lock().unwrap().push(copied),
                Err(TooLarge) => too_large.store(true, Ordering::SeqCst),
            }
            drop(alive);
        }
    }

    fn copies(&self) -> Vec<(Bytes, Option<HeaderMap>)> {
        let copies = self.copies.lock().unwrap();
        copies.iter().map(|it| (it.data.clone(), it.trailers.as_deref().cloned())).collect()
    }

    fn is_dropped(&self) -> bool {
        Arc::strong_count(&self.alive) == 1
    }
}

const LIMIT: usize = 200;

fn data(text: &'static str) -> Step {
    Data(Bytes::from_static(text.as_bytes()))
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())])
}

fn copied(script: Script) -> (Body<Script>, Receiver) {
    let receiver = Receiver::default();
    let mut body = Body::new(script);
    body.copy(LIMIT, Framing::default(), receiver.done());
    (body, receiver)
}

#[test]
fn a_body_that_has_ended_is_an_empty_copy_at_once() {
    let (_, receiver) = copied(Script { knows_its_end: true, ..Script::default() });
    assert_eq!(receiver.copies(), [(Bytes::new(), None)]);
    let (_, receiver) = copied(Script { knows_its_end: true, ..Script::default() }.declares(1));
    assert_eq!(receiver.copies(), [], "it declared a byte");
    assert!(receiver.is_dropped());
}

#[test]
fn an_end_that_arrives_after_the_last_frame_completes_the_copy() {
    let script = Script::of([data("abc"), Pending]);
    let late = script.ended_late.clone();
    let (mut body, receiver) = copied(script);
    assert_eq!(poll(&mut body), Seen::Data("abc".into()));
    assert!(!body.is_end_stream());
    assert_eq!(receiver.copies(), []);
    late.store(true, Ordering::SeqCst);
    assert!(body.is_end_stream());
    assert_eq!(receiver.copies(), [("abc".into(), None)]);
}

#[test]
fn a_panic_of_the_receiver_does_not_reach_the_reader() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let mut body = Body::new(Script { knows_its_end: true, ..Script::of([data("abc")]) });
    body.copy(LIMIT, Framing::default(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        panic!("the receiver panics");
    });
    assert_eq!(poll(&mut body), Seen::Data("abc".into()));
    assert_eq!(poll(&mut body), Seen::End);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_body_is_copied_once_and_a_kept_one_never() {
    let (mut body, first) = copied(Script::of([data("abc")]));
    assert!(body.is_copied());
    let second = Receiver::default();
    body.copy(LIMIT, Framing::default(), second.done());
    assert!(second.is_dropped());
    read(&mut body, 9, false);
    assert!(!body.is_copied());
    assert_eq!((first.copies().len(), second.copies().len()), (1, 0));
    let mut kept = Body::<Script>::kept(&first.copies.lock().unwrap()[0]);
    assert!(kept.is_copied());
    kept.copy(LIMIT, Framing::default(), second.done());
    read(&mut kept, 9, false);
    assert!(second.is_dropped());
    assert_eq!(second.copies(), []);
}

#[test]
fn a_copy_is_given_up_when_it_grows_too_large_and_not_when_the_body_ends() {
    let (mut body, receiver) =
        copied(Script::of([Data(vec![1; LIMIT].into()), data("2"), data("3")]));
    poll(&mut body);
    assert!(!receiver.is_dropped());
    poll(&mut body);
    assert!(receiver.is_dropped() && receiver.too_large.load(Ordering::SeqCst));
    assert_eq!(poll(&mut body), Seen::Data("3".into()));
    let (body, receiver) = copied(Script::of([data("1")]).declares(LIMIT as u64 + 1));
    assert!(receiver.is_dropped() && !body.is_copied());
    assert!(receiver.too_large.load(Ordering::SeqCst));
}

#[test]
fn a_kept_body_knows_its_length_unless_it_has_trailers_and_always_its_end() {
    let all: [(&[u8], _); 4] =
        [(b"", None), (b"abc", None), (b"", Some(trailers())), (b"abc", Some(trailers()))];
    for (data, trailers) in all {
        let copied = Copied::new(data.to_vec(), trailers.clone());
        let expected_frames = usize::from(!data.is_empty()) + usize::from(trailers.is_some());
        for _ in 0..2 {
            let mut body = Body::<Script>::kept(&copied);
            let exact = trailers.is_none().then_some(data.len() as u64);
            assert_eq!(body.size_hint().exact(), exact);
            assert_eq!(body.size_hint().lower(), data.len() as u64);
            let mut seen = Vec::new();
            while !body.is_end_stream() {
                seen.push(poll(&mut body));
            }
            assert_eq!(seen.len(), expected_frames);
            let expected = [
                (!data.is_empty()).then(|| Seen::Data(Bytes::copy_from_slice(data))),
                trailers.clone().map(Seen::Trailers),
            ];
            assert_eq!(seen, expected.into_iter().flatten().collect::<Vec<_>>());
            assert_eq!(poll(&mut body), Seen::End);
            assert_eq!(body.size_hint().exact(), Some(0));
        }
    }
}

#[test]
fn sensitive_and_repeated_trailers_are_kept_as_they_are() {
    let mut trailers = HeaderMap::new();
    for value in ["1", "2"] {
        let mut value: http::HeaderValue = value.parse().unwrap();
        value.set_sensitive(true);
        trailers.append("x-sum", value);
    }
    let (mut body, receiver) = copied(Script::of([Trailers(trailers.clone())]));
    assert_eq!(poll(&mut body), Seen::Trailers(trailers.clone()));
    let copies = receiver.copies();
    let copy = copies[0].1.as_ref().unwrap();
    assert_eq!(*copy, trailers);
    assert!(copy.get_all("x-sum").iter().all(http::HeaderValue::is_sensitive));
    assert_eq!(copy.len(), 2);
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![
        4 => 0..20_usize,
        2 => Just(LIMIT / 2),
        1 => LIMIT - 1..LIMIT + 2,
        1 => 0..2 * LIMIT
    ];
    let data = (length, any::<u8>())
        .prop_map(|(length, first)| (0..length).map(|n| first.wrapping_add(n as u8)).collect());
    let trailers = (0..3_usize, prop_oneof![Just(1), Just(LIMIT)]).prop_map(|(count, length)| {
        let value: http::HeaderValue = "7".repeat(length).parse().unwrap();
        let name = |n| http::HeaderName::try_from(format!("x-{n}")).unwrap();
        (0..count).map(|n| (name(n), value.clone())).collect()
    });
    prop_oneof![
        12 => data.prop_map(|data: Vec<u8>| Data(data.into())),
        3 => trailers.prop_map(Trailers),
        3 => Just(Pending),
        1 => Just(Fails),
        1 => Just(Panics)
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let hint = prop_oneof![Just(0), Just(1), Just(2), Just(3)];
    (prop::collection::vec(step(), 0..6), hint, -2..3_i64, any::<bool>()).prop_map(
        |(steps, kind, lie, knows_its_end)| {
            let script = Script { knows_its_end, ..Script::of(steps) };
            let sum = |step: &Step| if let Data(data) = step { data.len() as u64 } else { 0 };
            let sum: u64 = script.steps.iter().map(sum).sum();
            match kind {
                0 => script,
                1 => script.declares(sum),
                2 => script.declares(sum.saturating_add_signed(lie)),
                _ => script.declares(u64::MAX),
            }
        },
    )
}

/// Whether there is a copy of what was read, by the rules as they stand in the manual.
fn verdict(script: &Script, rows: &[Row]) -> Result<(Vec<u8>, Option<HeaderMap>), &'static str> {
    let declared = script.hint.exact();
    if declared.is_some_and(|length| length > LIMIT as u64) {
        return Err("declared too long");
    }
    let mut left = script.steps.len();
    let (mut data, mut end) = (Vec::new(), (script.knows_its_end && left == 0).then_some(None));
    for (_, _, seen) in rows {
        if end.is_some() {
            break;
        }
        left = left.saturating_sub(1);
        match seen {
            Seen::Panicked => return Err("panicked"),
            Seen::Failed(_) => return Err("failed"),
            Seen::Pending => continue,
            Seen::End => end = Some(None),
            Seen::Trailers(trailers) => end = Some(Some(trailers.clone())),
            Seen::Data(more) => {
                data.extend_from_slice(more);
                end = (script.knows_its_end && left == 0).then_some(None);
            }
        }
    }
    // A reader that asks is told of an end that came with a pending poll.
    let asked = script.knows_its_end && left == 0 && rows.iter().any(|(_, ended, _)| *ended);
    let Some(trailers) = end.or(asked.then_some(None)) else {
        return Err(if data.len() > LIMIT { "too long" } else { "dropped" });
    };
    let length = data.len() as u64;
    if declared.is_some_and(|declared| declared != length) {
        return Err("lied");
    }
    if data.len() + trailers.as_ref().map_or(0, weight) > LIMIT {
        return Err("too long");
    }
    Ok((data, trailers))
}

#[test]
fn the_reader_sees_the_body_and_the_receiver_a_copy_of_it_if_it_is_whole() {
    let cases = RefCell::new(BTreeMap::<_, usize>::new());
    let inputs = (script(), prop_oneof![2 => 0..6_usize, 3 => Just(99)], any::<bool>());
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref() != Some(&"the body panics") {
            hook(panic);
        }
    }));
    let test = |(script, polls, asks): (Script, usize, bool)| {
        let expected = read(&mut script.clone(), polls, asks);
        let (mut body, receiver) = copied(script.clone());
        prop_assert_eq!(&read(&mut body, polls, asks), &expected);
        drop(body);
        prop_assert!(receiver.is_dropped());
        let verdict = verdict(&script, &expected);
        let copies = receiver.copies();
        let case = match &verdict {
            Ok((_, None)) => "kept",
            Ok((_, Some(_))) => "kept with trailers",
            Err(why) => why,
        };
        *cases.borrow_mut().entry(case).or_default() += 1;
        let expected: Vec<_> = verdict.into_iter().map(|(data, it)| (data.into(), it)).collect();
        prop_assert_eq!(copies, expected, "{}", case);
        Ok(())
    };
    let config = Config { failure_persistence: None, ..Config::with_cases(20_000) };
    TestRunner::new(config).run(&inputs, test).unwrap();
    let cases = cases.into_inner();
    assert_eq!(cases.len(), 8, "{cases:?}");
    assert!(cases.values().all(|count| *count > 100), "{cases:?}");
    println!("{cases:?}");
}

#[test]
fn a_body_that_is_dropped_with_all_that_its_head_declared_is_a_complete_copy() {
    let framing = |length| Framing { length: Some(length), ..Framing::default() };
    let table = [
        (framing(6), vec![data("abc"), data("def"), Pending], true),
        (framing(0), vec![Pending], true),
        (framing(7), vec![data("abc"), data("def"), Pending], false),
        (framing(5), vec![data("abc"), data("def"), Pending], false),
        (framing(6), vec![data("abc"), data("def"), Fails], false),
        (framing(6), vec![data("abc"), data("def"), Panics], false),
        (
            Framing { announces_trailers: true, ..framing(6) },
            vec![data("abc"), data("def"), Pending],
            false,
        ),
        (Framing::default(), vec![data("abc"), data("def"), Pending], false),
    ];
    for (framing, steps, is_complete) in table {
        let receiver = Receiver::default();
        let (shown, polls) = (format!("{framing:?} {steps:?}"), steps.len());
        let mut body = Body::new(Script::of(steps));
        body.copy(LIMIT, framing, receiver.done());
        read(&mut body, polls, false);
        assert_eq!(receiver.copies(), []);
        drop(body);
        assert_eq!(receiver.copies().len(), usize::from(is_complete), "{shown}");
        assert!(receiver.is_dropped());
    }
}

#[test]
fn a_body_that_has_to_say_its_end_has_not_ended_by_none_alone() {
    let framing = Framing { has_to_say_its_end: true, ..Framing::default() };
    let end = |script: Script, framing| {
        let receiver = Receiver::default();
        let mut body = Body::new(script);
        body.copy(LIMIT, framing, receiver.done());
        assert_eq!(read(&mut body, 9, false).last().unwrap().2, Seen::End);
        receiver.copies().len()
    };
    let script = || Script::of([data("abc")]);
    assert_eq!(end(script(), framing), 0);
    assert_eq!(end(script(), Framing::default()), 1);
    assert_eq!(end(script(), Framing { length: Some(3), ..framing }), 1);
    assert_eq!(end(script().declares(3), framing), 1);
    assert_eq!(end(Script { knows_its_end: true, ..script() }, framing), 1);
    assert_eq!(end(Script::of([data("abc"), Trailers(trailers())]), framing), 1);
}
