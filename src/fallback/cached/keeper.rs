use std::hash::Hash;

use super::{Deposit, Found};
use crate::event::Name;

/// How the answers of a service are kept: in which form, under which terms, and who may see them.
///
/// This is the half that knows responses; [`Query`] is the half that knows requests. [`ByKey`] is
/// the ready-made one for responses that are `Clone`.
///
/// [`ByKey`]: super::ByKey
pub trait Keeper {
    /// The response of the service.
    type Response;
    /// By what answers are told apart. It has to name everything that makes them differ, the
    /// principal too, if they differ by him.
    type Key: Clone + Eq + Hash;
    /// What is kept of a response: cheap to clone, since every answer is one.
    type Stored: Clone;
    /// What is remembered of a request while its call runs.
    type Note;

    /// Sees to it that a copy of the response is [handed in](Deposit::store), now or when its body
    /// has ended; or [refuses](Deposit::refuse) to keep it, and with it [what was
    /// kept](Deposit::withdraw) before.
    fn keep(
        &self,
        note: Self::Note,
        response: &mut Self::Response,
        deposit: Deposit<Self::Key, Self::Stored>,
    );

    /// Makes a response of what was kept.
    fn restore(&self, found: Found<'_, Self::Stored>) -> Self::Response;

    /// Whether what was found may answer the request of this note. Default: yes.
    ///
    /// Asked anew for whatever is about to be served, also when a failed call is answered by an
    /// entry that another request left there in the meantime.
    fn permits(&self, note: &Self::Note, found: Found<'_, Self::Stored>) -> bool {
        let _ = (note, found);
        true
    }

    /// Whether this response says that its request changed what it was [to change](Query::changes).
    /// Default: yes.
    fn changed(&self, response: &Self::Response) -> bool {
        let _ = response;
        true
    }

    /// Whether an error of the call that was made for this request may be shown to others, who
    /// [wait](super::Coalesce) for its answer. Default: yes.
    ///
    /// No, if the text of an error may quote what is the caller's own: those who wait then get a
    /// [`FailedResponse`](super::FailedResponse) instead.
    fn shares_errors(&self, note: &Self::Note) -> bool {
        let _ = note;
        true
    }

    /// Reads to its end a response whose caller has left, so that its copy is complete. Default:
    /// drops it.
    fn finish(&self, response: Self::Response) -> impl Future<Output = ()> + Send + 'static {
        drop(response);
        std::future::ready(())
    }
}

/// What a request asks of a cache.
pub trait Query<Request>: Keeper {
    /// The key of what answers this request, or `None` if no kept answer may.
    fn key(&self, request: &Request) -> Option<Self::Key>;

    /// What has to be remembered of the request until its response is there.
    fn note(&self, request: &Request) -> Self::Note;

    /// Whether what was found may answer this request. Default: yes.
    ///
    /// The same question as [`Keeper::permits`], asked while the request is still there.
    fn admits(&self, request: &Request, found: Found<'_, Self::Stored>) -> bool {
        let _ = (request, found);
        true
    }

    /// The tag of the entries that this request changes. They are invalidated when its call has
    /// succeeded, and its response says so ([`Keeper::changed`]). Default: none.
    ///
    /// Asked only for requests that have no key.
    fn changes(&self, request: &Request) -> Option<Name> {
        let _ = request;
        None
    }
}
