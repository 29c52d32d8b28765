//! Behaviour of the module as a whole, on files made here.

pub(super) mod files;
mod footprints;
mod hostile;
mod images;
mod packing;
mod shapes;
mod sky;
mod strips;
mod sweep;
