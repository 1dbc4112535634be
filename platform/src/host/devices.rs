//! The one device that all processors have.

pub(crate) mod gic;
