//! The checker as a shared library, which QEMU loads: `qemu_plugin_version` and `qemu_plugin_install` of [`plugin`].

pub use checker::plugin;
