# For gdb, sourced by .ci/gdb: looks into the kernel of `make debug`, whose variables it finds by their debug information. Everything is
# read through the kernel's map of all RAM, so the processor must stand in the kernel (Ctrl-C at an idle shell does).
import gdb

LINEAR_BASE = 0xFFFF_FF80_0000_0000
PAGE = 4096
ENTRIES = 512
ADDRESS = 0x0000_FFFF_FFFF_F000
SHIFTS = {1: 30, 2: 21, 3: 12}


def static(name):
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if symbol is None:
        raise gdb.GdbError(f"{name}: no such variable: is this target/holstein/kernel-inspect.elf?")
    return symbol.value()


def members(value):
    kind = value.type.strip_typedefs()
    if kind.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return []
    return [field for field in kind.fields() if not field.artificial and field.type.sizeof > 0]


def reach(value, name):
    """The member of that name that lies the least deep in a value: locks, cells and the like are passed through."""
    level = [value]
    while level:
        for value in level:
            if any(field.name == name for field in members(value)):
                return value[name]
        level = [value[field.name] for value in level for field in members(value)]
    raise gdb.GdbError(f"nothing is called {name} there")


def locked(mutex):
    """What a lock guards, whoever holds it."""
    return reach(mutex, "value")["value"]


def variant(value):
    """The name of the variant that an enum is, and what it holds."""
    found = members(value)
    return (found[-1].name, value[found[-1].name]) if found else ("None", None)


def of_arc(arc):
    return reach(arc, "pointer").dereference()["data"]


def optional_arc(value):
    name, held = variant(value)
    return of_arc(held) if name == "Some" else None


def entries_of(node):
    """The keys and values of a node of memory::fallible::map, and of all below it."""
    kind, held = variant(node)
    array = held["__0"].dereference()
    for index in range(int(array["len"])):
        pair = array["xs"][index]
        key, value = reach(pair, "__0"), reach(pair, "__1")
        while any(field.name == "__1" for field in members(key)):
            key, value = key["__0"], key["__1"]
        yield from [(int(key), value)] if kind == "Leaf" else entries_of(value)


def holders():
    """Who has which id: `Process` or `Thread`, and that."""
    root = reach(reach(static("task::process::table::TABLE"), "ids"), "root")
    name, held = variant(root)
    if name == "Some":
        for number, holder in entries_of(held["__0"]):
            kind, held = variant(holder)
            if kind in ("Process", "Thread"):
                yield number, kind, of_arc(held["__0"])


def processes():
    return {number: held for number, kind, held in holders() if kind == "Process"}


def process(number):
    found = processes().get(number)
    if found is None:
        raise gdb.GdbError(f"no process {number}: kernel-threads lists them")
    return found


def name_of(process):
    raw = locked(reach(process["state"], "name"))["__0"]
    return bytes(int(raw[index]) for index in range(raw.type.sizeof)).split(b"\0")[0].decode(errors="replace")


def space_of(process):
    """The address space of a process; `None` for a thread of the kernel's own, and behind its end."""
    space = optional_arc(locked(process["space"]))
    if space is None:
        return None
    name, held = variant(locked(space["memory"]))
    return held["__0"] if name == "Some" else None


def root_of(space):
    return int(reach(space["tables"], "root")["__0"])


def words(frame):
    raw = gdb.selected_inferior().read_memory(LINEAR_BASE + frame * PAGE, PAGE)
    return memoryview(raw).cast("B").cast("Q")


def references(frame):
    records = reach(static("memory::MEMORY"), "records")
    first, counts = int(records["first"]), records["infos"]["counts"]
    index = frame - first
    if not 0 <= index < int(counts["length"]):
        return None
    return int(reach((counts["data_ptr"] + index).dereference(), "value"))


def descriptors(frame, level=1, base=0, way=()):
    """All valid descriptors of a tree: the level, the address, the descriptor, and those on the way to it."""
    for index, word in enumerate(words(frame)):
        if not word & 1:
            continue
        address = base + (index << SHIFTS[level])
        yield level, address, word, way
        if level < 3:
            yield from descriptors((word & ADDRESS) >> 12, level + 1, address, (*way, word))


def decoded(level, word):
    """What the bits of a descriptor say (kernel/mm/src/descriptor.rs)."""
    if level < 3:
        return "table" + (", APTable: no writes below" if word >> 62 & 1 else "")
    says = ["r" + ("-" if word >> 7 & 1 else "w") + ("-" if word >> 54 & 1 else "x")]
    says.append("EL0" if word >> 6 & 1 else "EL1 only")
    for bit, text in ((55, "MAP_SHARED"), (56, "its area may be written")):
        if word >> bit & 1:
            says.append(text)
    if not word >> 10 & 1:
        says.append("access flag clear")
    if not word >> 11 & 1:
        says.append("global")
    return ", ".join(says)


def line_of(level, address, word):
    frame = (word & ADDRESS) >> 12
    return f"L{level} {address:10x} {word:016x} -> {frame:x} references {references(frame)}: {decoded(level, word)}"


def is_shared(way, word):
    return any(references((entry & ADDRESS) >> 12) != 1 for entry in (*way, word))


def frames_of_stack(pointer):
    """The return addresses from a frame record on, as far as records lie on one stack."""
    inferior = gdb.selected_inferior()
    for _ in range(64):
        if pointer == 0 or pointer % 16:
            return
        try:
            record = memoryview(inferior.read_memory(pointer, 16)).cast("B").cast("Q")
        except gdb.MemoryError:
            return
        yield record[1]
        if not pointer < record[0] < pointer + (1 << 16):
            return
        pointer = record[0]


def plain(name):
    """A function's name without the types that it was made for."""
    depth, text = 0, ""
    for character in name:
        depth += character == "<"
        text += character if depth == 0 else ""
        depth -= character == ">"
    return text


def place_of(address):
    block, line = gdb.block_for_pc(address - 4), gdb.find_pc_line(address - 4)
    while block is not None and block.function is None:
        block = block.superblock
    function = plain(block.function.name) if block else "?"
    where = f" at {line.symtab.filename}:{line.line}" if line.symtab else ""
    return f"    {address:#x} in {function}{where}"


def show_thread(number, name, thread):
    kernel = reach(thread, "kernel")
    if int(reach(kernel["runs"].dereference(), "value")) & 0xFF:
        print(f"{number} {name}: runs: `thread apply all backtrace` has it")
        return
    saved = int(reach(kernel["stack_pointer"], "value"))
    print(f"{number} {name}: registers at {saved:#x}")
    registers = memoryview(gdb.selected_inferior().read_memory(saved, 16)).cast("B").cast("Q")
    for address in [registers[1], *frames_of_stack(registers[0])]:
        if address:
            print(place_of(address))


class Helper(gdb.Command):
    """A command, whose words are checked: `usage` says how many there are."""

    def __init__(self, name, usage):
        super().__init__(name, gdb.COMMAND_DATA)
        self.name, self.usage = name, usage

    def invoke(self, text, from_tty):
        words = gdb.string_to_argv(text)
        if len(words) != len(self.usage.split()):
            raise gdb.GdbError(f"usage: {self.name} {self.usage}")
        try:
            self.run(*(int(gdb.parse_and_eval(word)) for word in words))
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"{error}: the processor must stand in the kernel: `continue`, Ctrl-C when the shell waits")


class KernelThreads(Helper):
    """All threads, with the way on their kernel stacks of those that wait: kernel-threads"""

    def run(self):
        for number, kind, held in holders():
            if kind == "Thread":
                show_thread(number, "(a further thread)", held)
                continue
            first = optional_arc(reach(reach(held["state"], "threads"), "first"))
            if first is not None:
                show_thread(number, name_of(held), first)


class Space(Helper):
    """The address space of a process, pages of one kind as one line: space PID"""

    def run(self, number):
        space = space_of(process(number))
        if space is None:
            print(f"{number}: it has no memory")
            return
        print(f"root {root_of(space):x}")
        run = None
        for level, address, word, way in descriptors(root_of(space)):
            if level < 3:
                continue
            kind = (decoded(level, word), "shared" if is_shared(way, word) else "its own")
            if run and run[1] == address and run[2] == kind:
                run[1] += PAGE
                continue
            self.show(run)
            run = [address, address + PAGE, kind, address]
        self.show(run)

    @staticmethod
    def show(run):
        if run:
            print(f"{run[0]:10x}-{run[1]:10x} {(run[1] - run[0]) // PAGE:5} pages {run[2][1]:8} {run[2][0]}")


class Walk(Helper):
    """What the MMU reads for an address of a process, each descriptor taken apart: walk PID ADDRESS"""

    def run(self, number, address):
        space = space_of(process(number))
        table = root_of(space) if space is not None else None
        for level, shift in SHIFTS.items() if table is not None else ():
            index = address >> shift & (ENTRIES - 1)
            word = words(table)[index]
            if not word & 1:
                print(f"L{level} entry {index} of table {table:x}: {word:016x}, not valid" + (": swapped" if word else ""))
                return
            print(line_of(level, address >> shift << shift, word))
            table = (word & ADDRESS) >> 12


class Owners(Helper):
    """Whose tables point to a frame, or are it: owners FRAME"""

    def run(self, frame):
        if references(frame) is None:
            raise gdb.GdbError(f"frame {frame:x}: there is no RAM: a frame is a physical address without its last three digits")
        print(f"frame {frame:x}: references {references(frame)}")
        for number, held in processes().items():
            space = space_of(held)
            if space is None:
                continue
            who = f"{number} {name_of(held)}"
            if root_of(space) == frame:
                print(f"{who}: its root")
            for level, address, word, way in descriptors(root_of(space)):
                if (word & ADDRESS) >> 12 == frame:
                    through = ", through a shared table" if way and is_shared(way[:-1], way[-1]) else ""
                    print(f"{who}: {line_of(level, address, word)}{through}")


KernelThreads("kernel-threads", "")
Space("space", "PID")
Walk("walk", "PID ADDRESS")
Owners("owners", "FRAME")
