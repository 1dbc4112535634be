//! Extended attributes: xattr(7), `linux/xattr.h`, `linux/limits.h`.

flags! {
    /// Whether an attribute may be there before it is set: setxattr(2).
    pub struct XattrFlags: u32 {
        /// It must not be there.
        const XATTR_CREATE = 1;
        /// It must be there.
        const XATTR_REPLACE = 2;
    }
}

/// Bytes of the longest name.
pub const XATTR_NAME_MAX: usize = 255;
/// Bytes of the longest value.
pub const XATTR_SIZE_MAX: usize = 65536;
/// Bytes of the longest list of names.
pub const XATTR_LIST_MAX: usize = 65536;
