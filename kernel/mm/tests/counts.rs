//! The reference counts under every interleaving that the memory model allows.
