//! Pages that are kept.

mod annotate;
mod annotate_layer;
mod asked;
mod body;
mod body_layer;
mod directives;
mod forwarded;
pub mod future;
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
mod status;
mod vary;
mod verdict;

pub use self::{
    annotate::Annotate, annotate_layer::AnnotateLayer, body::Body, body_layer::BodyLayer,
    head::Head, key::PageKey, note::Note, page::Page, pages::Pages, staleness::Staleness,
};
