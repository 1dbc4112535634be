//! The file system on disks in memory: images that mke2fs made, what e2fsck says of what was written, disks that lose power.

mod calls;
mod damage;
mod growing;
mod model;
mod power;
mod reading;
mod rules;
mod support;
mod trees;
mod writing;
