use std::pin::pin;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Body as _;

use super::{
    Body, Head, Note, Page, PageKey, Pages, Staleness,
    asked::Asked,
    body::{Copied, Framing, TooLarge},
    forwarded::Forwarded,
    headers,
    note::most_stale,
    page::Kept,
    rules,
    vary::{self, Variation},
    verdict::{Asker, Verdict},
};
use crate::{
    clock,
    event::Name,
    fallback::cached::{Deposit, Found, Keeper, Query},
};

impl<B> Keeper for Pages<B>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body<B>>;
    type Key = PageKey;
    type Stored = Page;
    type Note = Note;

    fn keep(
        &self,
        note: Note,
        response: &mut Response<Body<B>>,
        mut deposit: Deposit<PageKey, Page>,
    ) {
        // Another cache sees to it, or it comes from one.
        if response.body().is_copied() {
            return;
        }
        let blank = self.blank(&note, response, &mut deposit);
        response.extensions_mut().insert(Forwarded { is_kept: blank.is_some() });
        let Some(blank) = blank else {
            let is_taken_back = self.is_taken_back(&note, response);
            return if is_taken_back { deposit.withdraw() } else { deposit.refuse() };
        };
        let (is_head, limit) = (note.is_head, self.settings().body_limit);
        let framing = blank.framing;
        let hand_in = move |copied: Result<Copied, TooLarge>| {
            let Ok(copied) = copied else { return deposit.refuse() };
            if !copied.trailers().is_none_or(headers::are_for_everybody) {
                return deposit.refuse();
            }
            if blank.declared.is_some_and(|length| length != copied.data_len() as u64) {
                return;
            }
            let elapsed = clock::now() - note.began;
            match blank.verdict.terms(deposit.key().tag(), elapsed) {
                Some(terms) => deposit.store(Page::new(blank.kept, copied), terms),
                None => deposit.refuse(),
            }
        };
        // There is no body, although its length may be declared, and nobody has to read it.
        if is_head {
            hand_in(Ok(Copied::empty()));
        } else {
            response.body_mut().copy(limit, framing, hand_in);
        }
    }

    fn restore(&self, found: Found<'_, Page>) -> Response<Body<B>> {
        Page::restore(found)
    }

    fn permits(&self, note: &Note, found: Found<'_, Page>) -> bool {
        found.stored().answers(&note.headers)
            && (found.is_fresh() || is_young_enough(found, note.most_stale))
    }

    fn changed(&self, response: &Response<Body<B>>) -> bool {
        !response.status().is_client_error() && !response.status().is_server_error()
    }

    /// Not those of callers who say who they are.
    fn shares_errors(&self, note: &Note) -> bool {
        let own = [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];
        !own.iter().any(|name| note.headers.contains_key(name))
    }

    fn finish(&self, response: Response<Body<B>>) -> impl Future<Output = ()> + Send + 'static {
        read_while_copied(response.into_body())
    }
}

impl<B, R> Query<Request<R>> for Pages<B>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    R: http_body::Body,
{
    fn key(&self, request: &Request<R>) -> Option<PageKey> {
        let asked = Asked::of(request)?;
        self.find_key(&Head::of(request), asked.has_credentials)
    }

    fn note(&self, request: &Request<R>) -> Note {
        Note::of(request)
    }

    fn admits(&self, request: &Request<R>, found: Found<'_, Page>) -> bool {
        let headers = request.headers();
        if !found.stored().answers(headers) {
            return false;
        }
        if !found.is_fresh() {
            return is_young_enough(found, most_stale(headers));
        }
        !headers.contains_key(header::CACHE_CONTROL)
            || rules::is_good_enough(found.stored().fresh_for(), found.age(), headers)
    }

    fn changes(&self, request: &Request<R>) -> Option<Name> {
        if request.method().is_safe() { None } else { self.tag_of(request) }
    }
}

/// A page that waits for its body.
struct Blank {
    kept: Kept,
    verdict: Verdict,
    /// The length that the headers tell, if the body does not know its own.
    declared: Option<u64>,
    framing: Framing,
}

impl<B> Pages<B>
where
    B: http_body::Body<Data = Bytes>,
{
    /// `None` if the response is for its caller only.
    fn blank(
        &self,
        note: &Note,
        response: &Response<Body<B>>,
        deposit: &mut Deposit<PageKey, Page>,
    ) -> Option<Blank> {
        let settings = self.settings();
        let (said, status) = (response.headers(), response.status());
        let headers_bytes = headers::bytes(said, settings.head_limit)?;
        // What a fallback below made up is no answer of the origin.
        if response.extensions().get::<Staleness>().is_some() {
            return None;
        }
        let is_credited =
            note.headers.contains_key(header::AUTHORIZATION) && !deposit.key().names_principal();
        let asker = Asker { is_head: note.is_head, is_credited };
        let verdict = Verdict::new(asker, status, said, settings, clock::wall())?;
        let length = headers::length(said)?;
        let hint = response.body().size_hint();
        let framing = match Framing::of(response.version(), said, &hint, length) {
            Some(framing) => framing,
            None if note.is_head || response.body().is_end_stream() => Framing::default(),
            None => return None,
        };
        let declared = match length {
            Some(_) if note.is_head => None,
            Some(length) => match hint.exact() {
                Some(exact) if exact != length => return None,
                Some(_) => None,
                None => Some(length),
            },
            None => None,
        };
        let names = vary::names(said)?;
        let known = self.varied().learn(deposit.key().primary(), &names);
        let key = deposit.key().varied(&known, &note.headers)?;
        let variation = Variation::new(names, &note.headers, settings.head_limit)?;
        let headers = headers::to_keep(said, headers_bytes)?;
        deposit.rekey(key);
        let kept = Kept { status, headers, headers_bytes, variation, fresh_for: verdict.fresh_for };
        Some(Blank { kept, verdict, declared, framing })
    }
}

impl<B> Pages<B>
where
    B: http_body::Body<Data = Bytes>,
{
    /// Whether the origin says by a response that is not kept that no page is to be, whoever asks:
    /// other than a failure, a complaint about one request, or what only a limit here forbids.
    fn is_taken_back(&self, note: &Note, response: &Response<Body<B>>) -> bool {
        let (said, status) = (response.headers(), response.status());
        let is_about_the_page = match status {
            StatusCode::NOT_MODIFIED => false,
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::GONE
            | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => true,
            _ => status.is_success() || status.is_redirection(),
        };
        let asker = Asker { is_head: note.is_head, is_credited: false };
        let is_made_up = response.extensions().get::<Staleness>().is_some();
        let verdict = || Verdict::new(asker, status, said, self.settings(), clock::wall());
        let is_too_long = headers::bytes(said, self.settings().head_limit).is_none();
        is_about_the_page
            && !is_made_up
            && !is_too_long
            && (verdict().is_none() || vary::names(said).is_none())
    }
}

fn is_young_enough(found: Found<'_, Page>, most_stale: Option<std::time::Duration>) -> bool {
    let stale_for = found.age().saturating_sub(found.stored().fresh_for());
    most_stale.is_none_or(|most| stale_for <= most)
}

/// Reads to the end, or until the copy is given up.
async fn read_while_copied<B>(body: Body<B>)
where
    B: http_body::Body<Data = Bytes>,
{
    let mut body = pin!(body);
    while body.is_copied()
        && let Some(Ok(_)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await
    {}
}
