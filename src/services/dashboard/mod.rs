//! The job type `dashboard`: pages of the editions and builds of documentation that LTD Keeper publishes.
//!
//! `wire` is what Keeper answers, `normalise` makes a `product` of it, whose words and URLs `text` has judged and whose
//! versions `version` orders; `files` are its `page`s and `documents`.

mod documents;
mod files;
mod normalise;
mod page;
mod product;
mod text;
mod version;
mod wire;
