//! The orders between processors in the finished kernel (`tests::barriers`, `tests::paths`): nothing is booted.

use anyhow::{Result, bail, ensure};
use tests::barriers;
use tests::paths::Paths;
use tests::{Kernel, Scene, Stage, deletions, kept, made, sites, watch};

pub const SCENES: &[Scene] = &[Scene::holstein(
    "barriers.are_those_of_the_orders",
    are_those_of_the_orders,
)];

fn are_those_of_the_orders(stage: &mut Stage) -> Result<()> {
    let Kernel::Holstein(image) = &stage.kernel else {
        bail!("only for Holstein")
    };
    ensure!(
        !image.ends_with("kernel8-inspect.img"),
        "in the kernel for gdb functions stand by themselves: build the other one"
    );
    let orders = barriers::orders()?;
    let count = orders.iter().map(|order| order.code.len()).sum::<usize>();
    ensure!(count > 0, "no order says where it stands");
    let elf = watch::elf_of(image)?;
    let paths = Paths::of(&elf, &orders)?;
    let (barriers, kept, sites) = (paths.barriers(), kept::list()?, sites::find(&elf)?);
    let mut wrong = barriers.missing(&orders);
    wrong.extend(kept::missing(&kept, &sites));
    let tried = deletions::try_all(barriers, &orders, &kept, &sites);
    ensure!(tried.count > 0, "nothing could be left out");
    wrong.extend(tried.unnoticed);
    wrong.extend(barriers::unknown_fences(&orders)?);
    let (apart, count) = paths.wrong(&orders);
    ensure!(count > 0, "no two steps of an order are named");
    wrong.extend(apart);
    let (broken, count) = made::wrong(&paths, &orders);
    ensure!(count > 0, "no order is made of the kernel");
    wrong.extend(broken);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
