//! The sky: positions, shapes, sizes, caps, and the reference frames of images.
//!
//! Pure; knows of no file, job or request. Angles are degrees unless a name says otherwise; positions are
//! ICRS at their own epoch (no proper motion).

mod angle;
mod cap;
mod footprint;
mod frame;
#[cfg(test)]
mod hostile;
mod position;
mod shape;
mod size;

pub use angle::{AngleError, parse_dec, parse_ra};
pub use cap::Cap;
pub use footprint::{Footprint, MOST_CELLS};
pub use frame::{Frame, System};
pub use position::Position;
pub use shape::{Shape, ShapeError};
pub use size::{Length, Size, SizeError};
