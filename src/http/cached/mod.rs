//! Pages that are kept.

pub mod annotate;
mod asked;
pub mod body;
mod directives;
mod forwarded;
mod head;
mod headers;
mod keeping;
mod key;
mod note;
mod page;
mod pages;
mod rules;
mod scope;
mod settings;
mod staleness;
mod vary;
mod verdict;

pub use self::{
    annotate::{Annotate, AnnotateLayer},
    body::{Body, BodyLayer, BodyService},
    head::Head,
    key::PageKey,
    note::Note,
    page::Page,
    pages::Pages,
    staleness::Staleness,
};
