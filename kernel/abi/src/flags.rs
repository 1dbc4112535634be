//! Words of flags as types of their own: the bits keep their names in C, and words of different calls do not mix.

/// Writes a type for a word of flags: one constant for each bit, and the operations of sets (`bitflags`). Any other bit can be
/// in it as well, as programs may give it: a call refuses or ignores those.
macro_rules! flags {
    ($(#[$meta:meta])* pub struct $name:ident: $bits:ty { $($(#[doc = $row:literal])* const $flag:ident = $value:expr;)* }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name($bits);

        bitflags::bitflags! {
            impl $name: $bits {
                $($(#[doc = $row])* const $flag = $value;)*
            }
        }
    };
}
