//! reboot(2); `linux/reboot.h`.

/// The first argument, always.
pub const LINUX_REBOOT_MAGIC1: u32 = 0xfee1_dead;
/// The second argument, one of four.
pub const LINUX_REBOOT_MAGIC2: u32 = 672_274_793;
/// The second argument, one of four.
pub const LINUX_REBOOT_MAGIC2A: u32 = 85_072_278;
/// The second argument, one of four.
pub const LINUX_REBOOT_MAGIC2B: u32 = 369_367_448;
/// The second argument, one of four.
pub const LINUX_REBOOT_MAGIC2C: u32 = 537_993_216;

/// Reset the machine.
pub const LINUX_REBOOT_CMD_RESTART: u32 = 0x0123_4567;
/// Stop, do not switch off.
pub const LINUX_REBOOT_CMD_HALT: u32 = 0xcdef_0123;
/// Ctrl-Alt-Del resets at once.
pub const LINUX_REBOOT_CMD_CAD_ON: u32 = 0x89ab_cdef;
/// Ctrl-Alt-Del sends SIGINT to init.
pub const LINUX_REBOOT_CMD_CAD_OFF: u32 = 0;
/// Stop and switch off.
pub const LINUX_REBOOT_CMD_POWER_OFF: u32 = 0x4321_fedc;
/// Reset the machine with a command string.
pub const LINUX_REBOOT_CMD_RESTART2: u32 = 0xa1b2_c3d4;
/// Suspend to disk.
pub const LINUX_REBOOT_CMD_SW_SUSPEND: u32 = 0xd000_fce2;
/// Start the kernel loaded by kexec_load(2).
pub const LINUX_REBOOT_CMD_KEXEC: u32 = 0x4558_4543;
