//! What a [`Keeper`] of one's own may do: other forms, other keys, refusals, bans and changes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    FallbackLayer,
    event::Name,
    fallback::{
        Served, Source,
        cached::{Cache, Cached, Deposit, Found, Keeper, Query, Stale, Terms},
    },
};

use crate::support::{SECOND, Trouble, classify, fresh, stale, terms};

/// Neither it nor the response can be cloned.
#[derive(Debug)]
struct Request {
    verb: &'static str,
    path: &'static str,
    user: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
struct Response {
    text: String,
    age: Option<Duration>,
}

/// Pages by path: some are of their user only, and some not to be kept at all.
#[derive(Clone, Debug, Default)]
struct Pages {
    lost: Arc<AtomicUsize>,
}

impl Keeper for Pages {
    type Response = Response;
    type Key = (&'static str, &'static str);
    type Stored = Arc<(String, &'static str)>;
    type Note = &'static str;

    fn keep(
        &self,
        user: &'static str,
        response: &mut Response,
        mut deposit: Deposit<Self::Key, Self::Stored>,
    ) {
        if response.text.starts_with("private") {
            return deposit.refuse();
        }
        if response.text.starts_with("lost") {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (path, _) = *deposit.key();
        if response.text.starts_with("moved") {
            deposit.rekey(("/moved", "GET"));
        }
        deposit.store(Arc::new((response.text.clone(), user)), terms().tag(path));
    }

    fn restore(&self, found: Found<'_, Self::Stored>) -> Response {
        Response { text: found.stored().0.clone(), age: Some(found.age()) }
    }

    fn permits(&self, user: &&'static str, found: Found<'_, Self::Stored>) -> bool {
        !found.stored().0.starts_with("own") || found.stored().1 == *user
    }
}

impl Query<Request> for Pages {
    fn key(&self, request: &Request) -> Option<Self::Key> {
        (request.verb == "GET").then_some((request.path, request.verb))
    }

    fn note(&self, request: &Request) -> &'static str {
        request.user
    }

    fn admits(&self, request: &Request, found: Found<'_, Self::Stored>) -> bool {
        self.permits(&request.user, found)
    }

    fn changes(&self, request: &Request) -> Option<Name> {
        (request.verb == "PUT").then(|| request.path.into())
    }
}

type Store = Cache<(&'static str, &'static str), Arc<(String, &'static str)>>;

fn store() -> Store {
    Cache::builder("pages").build().0
}

/// Answers with path and number, and refuses nobody: that is the caller's own error.
fn site(
    strategy: impl tower_failover::fallback::Strategy<
        Request,
        Plan: tower_failover::fallback::Plan<Response, Trouble>,
    > + Clone,
    is_down: &Arc<AtomicUsize>,
) -> impl Service<Request, Response = Served<Response>, Error = Trouble> + Clone {
    let (is_down, calls) = (is_down.clone(), Arc::new(AtomicUsize::new(0)));
    let inner = service_fn(move |request: Request| {
        let number = calls.fetch_add(1, Ordering::Relaxed);
        let result = match (is_down.load(Ordering::Relaxed), request.user) {
            (0, "nobody") => Err(Trouble::CallersOwn),
            (0, _) => Ok(Response { text: format!("{}{number}", &request.path[1..]), age: None }),
            _ => Err(Trouble::Down),
        };
        std::future::ready(result)
    });
    FallbackLayer::new(strategy).classify(classify).served().layer(inner)
}

async fn ask(
    service: &(impl Service<Request, Response = Served<Response>, Error = Trouble> + Clone),
    verb: &'static str,
    path: &'static str,
    user: &'static str,
) -> Result<(String, Source), Trouble> {
    let served = service.clone().oneshot(Request { verb, path, user }).await?;
    let source = served.source();
    let response = served.into_inner();
    #[expect(clippy::wildcard_enum_match_arm, reason = "sources are not exhaustive")]
    let age = match source {
        Source::Cache { age } | Source::Stale { age } => Some(age),
        Source::Primary => None,
        other => panic!("nobody else answers: {other}"),
    };
    assert_eq!(response.age, age, "the keeper is told the age that the caller is told");
    Ok((response.text, source))
}

#[tokio::test(start_paused = true)]
async fn promise_2_a_response_that_cannot_be_cloned_is_kept_in_another_form() {
    let down = Arc::new(AtomicUsize::new(0));
    let service = site(Cached::with(store(), Pages::default()), &down);
    assert_eq!(ask(&service, "GET", "/a", "ann").await.unwrap(), ("a0".into(), Source::Primary));
    advance(SECOND).await;
    assert_eq!(ask(&service, "GET", "/a", "ann").await.unwrap(), ("a0".into(), fresh(SECOND)));
    down.store(1, Ordering::Relaxed);
    advance(10 * SECOND).await;
    assert_eq!(ask(&service, "GET", "/a", "bob").await.unwrap(), ("a0".into(), stale(11 * SECOND)));
}

#[tokio::test(start_paused = true)]
async fn promise_5_what_the_keeper_refuses_or_loses_is_not_kept() {
    let (down, cache, pages) = (Arc::new(AtomicUsize::new(0)), store(), Pages::default());
    let service = site(Cached::with(cache.clone(), pages.clone()), &down);
    for path in ["/private", "/lost", "/private", "/lost"] {
        assert_eq!(ask(&service, "GET", path, "ann").await.unwrap().1, Source::Primary);
        assert!(cache.is_empty(), "{path}");
    }
    assert_eq!(pages.lost.load(Ordering::Relaxed), 2);
    down.store(1, Ordering::Relaxed);
    assert_eq!(ask(&service, "GET", "/private", "ann").await.unwrap_err(), Trouble::Down);
}

#[tokio::test(start_paused = true)]
async fn promise_5_what_a_request_may_not_see_is_asked_for_anew_and_never_served_stale() {
    let down = Arc::new(AtomicUsize::new(0));
    let cache = store();
    let cached = site(Cached::with(cache.clone(), Pages::default()), &down);
    let kept = site(Stale::with(cache.clone(), Pages::default()), &down);
    assert_eq!(ask(&cached, "GET", "/own", "ann").await.unwrap(), ("own0".into(), Source::Primary));
    assert_eq!(ask(&cached, "GET", "/own", "ann").await.unwrap().1, fresh(Duration::ZERO));
    down.store(1, Ordering::Relaxed);
    assert_eq!(ask(&cached, "GET", "/own", "bob").await.unwrap_err(), Trouble::Down);
    assert_eq!(ask(&kept, "GET", "/own", "bob").await.unwrap_err(), Trouble::Down);
    advance(11 * SECOND).await;
    assert_eq!(ask(&cached, "GET", "/own", "bob").await.unwrap_err(), Trouble::Down);
    assert_eq!(ask(&kept, "GET", "/own", "bob").await.unwrap_err(), Trouble::Down);
    assert_eq!(ask(&kept, "GET", "/own", "ann").await.unwrap().1, stale(11 * SECOND));
    down.store(0, Ordering::Relaxed);
    let (text, source) = ask(&cached, "GET", "/own", "bob").await.unwrap();
    assert_eq!(source, Source::Primary);
    assert_eq!(ask(&cached, "GET", "/own", "bob").await.unwrap().0, text, "now it is his");
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_successful_change_invalidates_its_tag_and_a_failed_one_does_not() {
    let (down, cache) = (Arc::new(AtomicUsize::new(0)), store());
    let service = site(Cached::with(cache.clone(), Pages::default()), &down);
    ask(&service, "GET", "/a", "ann").await.unwrap();
    ask(&service, "GET", "/b", "ann").await.unwrap();
    down.store(1, Ordering::Relaxed);
    assert_eq!(ask(&service, "PUT", "/a", "ann").await.unwrap_err(), Trouble::Down);
    down.store(0, Ordering::Relaxed);
    let refused = ask(&service, "PUT", "/a", "nobody").await.unwrap_err();
    assert_eq!((refused, cache.len()), (Trouble::CallersOwn, 2));
    ask(&service, "DELETE", "/a", "ann").await.unwrap();
    assert_eq!(cache.len(), 2, "it does not say that it changes anything");
    ask(&service, "PUT", "/a", "ann").await.unwrap();
    assert!(cache.get(&("/a", "GET")).is_none() && cache.get(&("/b", "GET")).is_some());
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_copy_put_under_another_key_obeys_the_invalidations_of_that_key() {
    let (down, cache) = (Arc::new(AtomicUsize::new(0)), store());
    let inner = cache.clone();
    let service = site(Cached::with(cache.clone(), Pages::default()), &down);
    ask(&service, "GET", "/moved/x", "ann").await.unwrap();
    assert!(cache.get(&("/moved/x", "GET")).is_none());
    assert!(cache.get(&("/moved", "GET")).is_some());
    cache.invalidate_all();

    let during = service_fn(move |_: Request| {
        inner.invalidate(&("/moved", "GET"));
        std::future::ready(Ok::<_, Trouble>(Response { text: "moved".into(), age: None }))
    });
    let layer = FallbackLayer::new(Cached::with(cache.clone(), Pages::default())).served();
    let service = layer.layer(during);
    let request = Request { verb: "GET", path: "/moved/x", user: "ann" };
    assert_eq!(service.oneshot(request).await.unwrap().into_inner().text, "moved");
    assert!(cache.is_empty());
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_copy_that_comes_long_after_its_response_obeys_what_was_invalidated_since() {
    /// Hands the deposit out, as a body that is still being read does.
    #[derive(Clone)]
    struct Later(std::sync::mpsc::Sender<Deposit<u32, u32>>);

    impl Keeper for Later {
        type Response = u32;
        type Key = u32;
        type Stored = u32;
        type Note = ();

        fn keep(&self, (): (), _: &mut u32, deposit: Deposit<u32, u32>) {
            self.0.send(deposit).unwrap();
        }

        fn restore(&self, found: Found<'_, u32>) -> u32 {
            *found.stored()
        }
    }

    impl Query<u32> for Later {
        fn key(&self, request: &u32) -> Option<u32> {
            Some(*request)
        }

        fn note(&self, _: &u32) {}
    }

    let (sender, deposits) = std::sync::mpsc::channel();
    let cache = Cache::<u32, u32>::builder("later").build().0;
    let echo = service_fn(async |request: u32| Ok::<_, Trouble>(request));
    let service = FallbackLayer::new(Cached::with(cache.clone(), Later(sender))).layer(echo);
    for (invalidates, kept) in [(false, 1), (true, 0)] {
        assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
        assert!(cache.is_empty());
        let deposit = deposits.try_recv().unwrap();
        advance(60 * SECOND).await;
        if invalidates {
            cache.invalidate(&1);
        }
        deposit.store(1, Terms::new());
        assert_eq!(cache.len(), kept);
        cache.invalidate_all();
    }
}
