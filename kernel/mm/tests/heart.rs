//! The proof of the heart on the host. `machine` is the adversarial machine (`tests/machine`), `world` the kernel around the heart with a
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
mod stories;
mod world;
