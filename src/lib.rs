//! Sidereal
