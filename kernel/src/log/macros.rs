//! The macros that keep a line in the log: `log::info!("{count} found")`.

macro_rules! debug {
    ($($arguments:tt)*) => { $crate::log::write($crate::log::Level::Debug, format_args!($($arguments)*)) };
}

macro_rules! info {
    ($($arguments:tt)*) => { $crate::log::write($crate::log::Level::Info, format_args!($($arguments)*)) };
}

macro_rules! warning {
    ($($arguments:tt)*) => { $crate::log::write($crate::log::Level::Warning, format_args!($($arguments)*)) };
}

macro_rules! error {
    ($($arguments:tt)*) => { $crate::log::write($crate::log::Level::Error, format_args!($($arguments)*)) };
}

/// Keeps a line for whoever looks for a fault.
pub(crate) use debug;
/// Keeps an error.
pub(crate) use error;
/// Keeps a line worth knowing.
pub(crate) use info;
/// Keeps a warning. The macro cannot be defined by this name: it is an attribute's.
pub(crate) use warning as warn;
