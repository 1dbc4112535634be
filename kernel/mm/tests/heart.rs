//! The proof of the heart on the host. `soft_mmu` is the adversarial machine, `world` the kernel around the heart with a
//! shadow of what every process should see; the other modules are the tests.

mod edges;
mod exhaust;
mod golden;
mod life;
mod lives;
mod misuse;
mod moves;
mod out_of_memory;
mod sabotaged;
mod soft_mmu;
mod stories;
mod world;
