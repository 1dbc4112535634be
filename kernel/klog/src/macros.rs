//! The macros that keep a line in the log: `klog::info!("{count} found")`.

/// Keeps a line for whoever looks for a fault.
#[macro_export]
macro_rules! debug {
    ($($arguments:tt)*) => { $crate::write($crate::Level::Debug, format_args!($($arguments)*)) };
}

/// Keeps a line worth knowing.
#[macro_export]
macro_rules! info {
    ($($arguments:tt)*) => { $crate::write($crate::Level::Info, format_args!($($arguments)*)) };
}

/// Keeps a warning. The macro cannot be defined as `warn`: that is an attribute's name.
#[macro_export]
#[doc(hidden)]
macro_rules! warning {
    ($($arguments:tt)*) => { $crate::write($crate::Level::Warning, format_args!($($arguments)*)) };
}

/// Keeps an error.
#[macro_export]
macro_rules! error {
    ($($arguments:tt)*) => { $crate::write($crate::Level::Error, format_args!($($arguments)*)) };
}

pub use warning as warn;
