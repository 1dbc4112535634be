//! Bugs for the source of the kernel, each as a hasty hand would leave it: `make mutants RULES=1` plants those that one rule of the checker
//! alone notices ([`crate::rule_mutants`]), `make mutants BUGS=1` one in each part of the kernel that deals with translation ([`BUGS`]).

/// One place of the source, where `from` stands once.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// From the root of the repository.
    pub file: &'static str,
    /// What stands there.
    pub from: &'static str,
    /// What is put there.
    pub to: &'static str,
}

const fn edit(file: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { file, from, to }
}

const HEAD: &str = "platform/src/boot/head.s";
const DESCRIPTOR: &str = "kernel/mm/src/descriptor.rs";
const FORK: &str = "kernel/mm/src/fork.rs";
const HOSTAGE: &str = "kernel/mm/src/hostage.rs";
const TABLE: &str = "kernel/mm/src/table.rs";
const KERNEL_TABLES: &str = "platform/src/memory/kernel_tables.rs";

/// exec's new space is not entered.
pub const SPACE_NOT_ENTERED: &[Edit] = &[edit(
    "kernel/task/src/exec/mod.rs",
    "    scheduler::enter_space_of(current);\n",
    "",
)];

/// How a page takes the place of another one.
const REPLACED: &str =
    "        Hostage::take_leaf(memory, table, index).release_after_address_flush(memory, self.tag, address);
        memory.mmu().store(table, index, new);
        memory.dsb_ishst();
";

/// A copied page takes the place of the shared one, and is flushed behind that.
pub const NO_BREAK: &[Edit] = &[edit(
    TABLE,
    REPLACED,
    "        let old = memory.mmu().load(table, index);
        memory.dsb_ishst();
        memory.mmu().store(table, index, new);
        memory.flush_address(self.tag.asid(), address);
        memory.frames().release(memory.mmu(), old.frame());
",
)];

/// The last page that is parked is remembered, whatever else is.
const LAST_PAGE: Edit = edit(
    HOSTAGE,
    "        self.page = page;\n",
    "        self.page = page.or(self.page);\n",
);
const ONE_PAGE_FLUSHED: &str = "(1, Some(address)) => memory.flush_page(tag.asid(), address),";

/// Whatever goes with a page is flushed by its address: the other pages are not.
pub const FLUSH_OF_ONE: &[Edit] = &[
    LAST_PAGE,
    edit(
        HOSTAGE,
        ONE_PAGE_FLUSHED,
        "(_, Some(address)) => memory.flush_address(tag.asid(), address),",
    ),
];

/// The same by its last level: its table is not.
pub const FLUSH_OF_LEAF: &[Edit] = &[
    LAST_PAGE,
    edit(
        HOSTAGE,
        ONE_PAGE_FLUSHED,
        "(_, Some(address)) => memory.flush_page(tag.asid(), address),",
    ),
];

/// fork takes write access from tables, and flushes pages by their last level: those of a small program's image and of its stack.
pub const FLUSH_OF_LEAVES: &[Edit] = &[edit(
    FORK,
    "            self.flush(memory);\n        }\n        if let Some(copy) = stack {",
    "            let pages = (0..1 << 11).chain((1 << 27) - (1 << 9)..1 << 27);
            pages.for_each(|page| memory.flush_page(self.tag.asid(), VirtAddr(page << 12)));
        }
        if let Some(copy) = stack {",
)];

/// A page that another one takes the place of loses two references.
pub const FREED_TWICE: &[Edit] = &[edit(
    TABLE,
    REPLACED,
    "        let old = memory.mmu().load(table, index);
        Hostage::take_leaf(memory, table, index).release_after_address_flush(memory, self.tag, address);
        memory.mmu().store(table, index, new);
        memory.dsb_ishst();
        memory.frames().release(memory.mmu(), old.frame());
",
)];

/// A fresh page is given to a program as it is.
pub const NOT_ZEROED: &[Edit] = &[edit(
    "kernel/mm/src/fault.rs",
    "    memory.frames().allocate(memory.mmu()).ok()\n",
    "    memory.frames().allocate_unfilled(memory.mmu()).ok()\n",
)];

/// Every space runs under one number, as with `asid=fixed`.
pub const ONE_NUMBER: &[Edit] = &[edit(
    "kernel/mm/src/asid.rs",
    "        if self.is_fixed {\n            return",
    "        if true {\n            return",
)];

/// The kernel's pages are not global.
pub const KERNEL_NOT_GLOBAL: &[Edit] = &[edit(
    KERNEL_TABLES,
    "Rights::Data => COMMON | ATTR_NORMAL | SH_INNER | PXN,",
    "Rights::Data => COMMON | ATTR_NORMAL | SH_INNER | PXN | 1 << 11,",
)];

/// The kernel may execute what lies in a program's pages.
pub const KERNEL_MAY_EXECUTE: &[Edit] = &[edit(
    DESCRIPTOR,
    "                | UXN\n                | PXN\n",
    "                | UXN\n",
)];

/// The descriptor of a table that is put into a running program's tree has a bit too many.
pub const BIT_TOO_MANY: &[Edit] = &[edit(
    TABLE,
    "        memory.mmu().store(table, index, new);
        memory.dsb_ishst();
        memory
            .frames()
",
    "        let stray = u64::from(self.tag.has_run()) << 40;
        memory.mmu().store(table, index, Descriptor(new.0 | stray));
        memory.dsb_ishst();
        memory
            .frames()
",
)];

/// A table of the kernel is zeroed once more, when it can be walked already.
pub const ZEROED_LATE: &[Edit] = &[edit(
    KERNEL_TABLES,
    "                entry.store(new.0 | TABLE_OR_PAGE | VALID, Ordering::Relaxed);\n",
    "                entry.store(new.0 | TABLE_OR_PAGE | VALID, Ordering::Relaxed);
                let at = self.reach.wrapping_add(new.0 as usize);
                // SAFETY: none, the table is walked.
                unsafe { crate::memory::zero_frame_bytes(core::ptr::with_exposed_provenance_mut(at)) };\n",
)];

/// What was stored as an instruction is called with no ISB.
pub const CALLED_AT_ONCE: &[Edit] = &[
    edit(
        "platform/src/arch/mod.rs",
        "    dsb_ish();\n    isb();\n}\n\n/// What identifies this processor",
        "    dsb_ish();\n}\n\n/// What identifies this processor",
    ),
    edit(
        "platform/src/arch/mod.rs",
        "    isb();\n    // SAFETY: two instructions that change x0",
        "    // SAFETY: two instructions that change x0",
    ),
];

/// TCR_EL1.HPD0: what a table forbids does not count.
pub const TABLES_FORBID_NOTHING: &[Edit] = &[edit(
    HEAD,
    "| (1 << 36) | (1 << 37)\n",
    "| (1 << 36) | (1 << 37) | (1 << 41)\n",
)];

/// A bug in a part of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// The part.
    pub part: &'static str,
    /// What is wrong then.
    pub what: &'static str,
    /// Where.
    pub edits: &'static [Edit],
}

const fn bug(part: &'static str, what: &'static str, edits: &'static [Edit]) -> Bug {
    Bug { part, what, edits }
}

/// One in each part that deals with translation, of one line each; the checker alone must find them.
pub const BUGS: &[Bug] = &[
    bug(
        "fork",
        "no flush where the parent is alone",
        &[edit(
            FORK,
            "        if has_write_protected {\n            self.flush(memory);",
            "        if has_write_protected && !is_alone {\n            self.flush(memory);",
        )],
    ),
    bug(
        "publish",
        "a flush of one address where descriptors of the old table lost write access",
        &[edit(
            "kernel/mm/src/privatise.rs",
            "            hostage.release_after_asid_flush(memory, self.tag);\n",
            "            hostage.release_after_address_flush(memory, self.tag, address);\n",
        )],
    ),
    bug(
        "clear",
        "two pages or a page and its table, and the flush of a page",
        &[
            LAST_PAGE,
            edit(HOSTAGE, "(1, Some(address))", "(1..=2, Some(address))"),
        ],
    ),
    bug("exec", "the new space is not entered", SPACE_NOT_ENTERED),
    bug(
        "signal page",
        "the vDSO's frame counts as clean before it was written",
        &[edit(
            "kernel/mm/src/frames.rs",
            "self.records.word(frame).fetch_or(OF_OBJECT, Ordering::Relaxed);",
            "self.records.word(frame).fetch_or(OF_OBJECT | INSTRUCTIONS_CLEAN, Ordering::Relaxed);",
        )],
    ),
    bug(
        "stacks",
        "of an unmapped stack only the first page is flushed",
        &[edit(
            KERNEL_TABLES,
            "        for page in range.clone().step_by(PAGE_SIZE) {\n            arch::tlbi_vaale1is(page);",
            "        for page in range.clone().step_by(PAGE_SIZE).take(1) {\n            arch::tlbi_vaale1is(page);",
        )],
    ),
    bug(
        "boot",
        "the identity stays under TTBR0",
        &[edit(
            "platform/src/boot/mod.rs",
            "    memory::deactivate();\n    arch::tlbi_vmalle1();",
            "    arch::tlbi_vmalle1();",
        )],
    ),
    bug(
        "other processors",
        "their row is cleaned before it is whole",
        &[edit(
            "platform/src/boot/secondary.rs",
            "    row.affinity.store(described.mpidr, Ordering::Relaxed);
    arch::clean_and_invalidate((&raw const STARTS).addr(), size_of::<Starts>());\n",
            "    arch::clean_and_invalidate((&raw const STARTS).addr(), size_of::<Starts>());
    row.affinity.store(described.mpidr, Ordering::Relaxed);\n",
        )],
    ),
];

#[cfg(test)]
mod tests {
    use super::{BUGS, Edit};
    use crate::files;
    use crate::rule_mutants::{ALL, Change};

    fn all() -> impl Iterator<Item = &'static Edit> {
        let of_rules = ALL.iter().filter_map(|own| match own.change {
            Change::Planted(edits) => Some(edits),
            _ => None,
        });
        of_rules.chain(BUGS.iter().map(|bug| bug.edits)).flatten()
    }

    #[test]
    fn what_is_planted_has_its_place() {
        for Edit { file, from, to } in all() {
            let text = std::fs::read_to_string(files::root().join(file)).expect(file);
            assert_eq!(text.matches(from).count(), 1, "{file}: {from:?}");
            assert_ne!(from, to);
        }
    }
}
