//! Extended attributes: xattr(7), `linux/xattr.h`, `linux/limits.h`.

/// setxattr(2): the attribute must not be there.
pub const XATTR_CREATE: u32 = 1;
/// setxattr(2): the attribute must be there.
pub const XATTR_REPLACE: u32 = 2;
/// Bytes of the longest name.
pub const XATTR_NAME_MAX: usize = 255;
/// Bytes of the longest value.
pub const XATTR_SIZE_MAX: usize = 65536;
/// Bytes of the longest list of names.
pub const XATTR_LIST_MAX: usize = 65536;
