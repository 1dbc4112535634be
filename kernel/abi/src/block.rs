//! ioctls of disks: `linux/fs.h`, `linux/hdreg.h`.

/// Whether it may not be written: an `int`.
pub const BLKROGET: u32 = 0x125e;
/// Looks for partitions again.
pub const BLKRRPART: u32 = 0x125f;
/// Its size in sectors of 512 bytes: an `unsigned long`.
pub const BLKGETSIZE: u32 = 0x1260;
/// Writes back what is dirty, and forgets the rest.
pub const BLKFLSBUF: u32 = 0x1261;
/// How far it is read ahead, in sectors of 512 bytes: a `long`.
pub const BLKRAGET: u32 = 0x1263;
/// Bytes of a block as the device addresses it: an `int`.
pub const BLKSSZGET: u32 = 0x1268;
/// Forgets a range of bytes: two `uint64_t`.
pub const BLKDISCARD: u32 = 0x1277;
/// Bytes that are best transferred at least: an `unsigned int`.
pub const BLKIOMIN: u32 = 0x1278;
/// Bytes that are best transferred at once: an `unsigned int`.
pub const BLKIOOPT: u32 = 0x1279;
/// By how much it is not aligned: an `int`.
pub const BLKALIGNOFF: u32 = 0x127a;
/// Bytes of a block as the device keeps it: an `unsigned int`.
pub const BLKPBSZGET: u32 = 0x127b;
/// Whether what was forgotten reads as zeros: an `unsigned int`.
pub const BLKDISCARDZEROES: u32 = 0x127c;
/// Whether something turns in it: an `unsigned short`.
pub const BLKROTATIONAL: u32 = 0x127e;
/// Bytes of a block of its pages: an `int`, whatever the number says.
pub const BLKBSZGET: u32 = 0x8008_1270;
/// Its size in bytes: a `uint64_t`.
pub const BLKGETSIZE64: u32 = 0x8008_1272;
