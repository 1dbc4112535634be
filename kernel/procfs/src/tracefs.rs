//! tracefs, by its own rules a file system for root alone (Documentation/trace/ftrace.rst): what is traced, and the records. The
//! events are this kernel's own (`trace`). Of Linux's files these are here; processes that a traced one forks are traced too, as with
//! Linux's option `event-fork`.

use alloc::sync::Arc;

use abi::Errno;
use task::process::Pid;
use trace::control::{self, EVENTS, EventNames, SYSTEM};
use trace::pipe;

use super::entry::{Directory, FixedEntry, ROOT_INODE};
use super::pseudo::PseudoFileSystem;
use super::seq_file::SeqFile;
use super::setting_file;
use super::settings;
use super::text::Text;
use super::trace_pipe;
use memory::fallible;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Positioning};
use vfs::filesystem;
use vfs::inode::{Attributes, Inode};
use vfs::super_block::SuperBlock;

/// The `f_type` of tracefs.
const TRACEFS_MAGIC: u64 = 0x7472_6163;
/// Longest text that names events or processes.
const LIST_LEN: usize = 256;
/// The key of the first record: the head of the text stands before it.
const FIRST_RECORD: u64 = 1;

static ROOT: [FixedEntry<()>; 8] = [
    FixedEntry::text("available_events", |(), text| {
        text.add(format_args!("{}", EventNames(all())));
        Ok(())
    }),
    FixedEntry::object("buffer_percent", 0o640, |()| {
        settings::open_limit(pipe::shown_percent, pipe::set_percent)
    }),
    FixedEntry::object("buffer_size_kb", 0o640, |()| {
        settings::open_limit(control::room, control::set_room)
    }),
    FixedEntry::object("set_event", 0o640, |()| open_events()),
    FixedEntry::object("set_event_pid", 0o640, |()| open_pids()),
    FixedEntry::object("trace", 0o640, |()| open_records()),
    FixedEntry::object("trace_pipe", 0o440, |()| trace_pipe::open()),
    FixedEntry::object("tracing_on", 0o640, |()| open_switch()),
];

static TRACEFS: PseudoFileSystem = PseudoFileSystem {
    name: "tracefs",
    magic: TRACEFS_MAGIC,
    make_root: root,
};

/// Registers tracefs.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&TRACEFS)
}

fn root(filesystem: &Arc<SuperBlock>) -> Result<Arc<Inode>, Errno> {
    let node = Directory::fixed(filesystem, ROOT_INODE, &ROOT)?;
    node.inode(filesystem, ROOT_INODE, Attributes::new(0o700, 0, 0))
}

/// All events.
const fn all() -> u32 {
    (1 << EVENTS.len()) - 1
}

fn open_switch() -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<8>(
        |text| {
            text.add(format_args!("{}\n", u8::from(control::is_on())));
            Ok(())
        },
        |written| match setting_file::number::<u64>(written)? {
            0 => control::turn_off(),
            _ => control::turn_on(),
        },
    )
}

/// The events that are wanted. What is written takes their place: names, `cow:NAME`, or `cow:*`, in words; none for none.
fn open_events() -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<LIST_LEN>(
        |text| {
            text.add(format_args!("{}", EventNames(control::events())));
            Ok(())
        },
        |written| {
            let mut events = 0;
            for word in words(written) {
                events |= events_of(word)?;
            }
            control::set_events(events)
        },
    )
}

/// `EINVAL`: there is none of that name.
fn events_of(word: &[u8]) -> Result<u32, Errno> {
    let name = word
        .strip_prefix(SYSTEM.as_bytes())
        .and_then(|rest| rest.strip_prefix(b":"))
        .unwrap_or(word);
    if name == b"*" {
        return Ok(all());
    }
    let bit = EVENTS.iter().position(|event| event.as_bytes() == name);
    bit.map(|bit| 1 << bit).ok_or(Errno::EINVAL)
}

/// The processes that are traced. What is written takes their place; none for all.
fn open_pids() -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<LIST_LEN>(
        |text| {
            control::visit_pids(&mut |pid| text.add(format_args!("{pid}\n")));
            Ok(())
        },
        |written| {
            let mut pids: [Pid; LIST_LEN / 2] = [0; LIST_LEN / 2];
            let mut count = 0;
            for (word, pid) in words(written).zip(&mut pids) {
                *pid = setting_file::number(word)?;
                count += 1;
            }
            control::set_pids(&pids[..count])
        },
    )
}

fn words(written: &[u8]) -> impl Iterator<Item = &[u8]> {
    written
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// The records, a line each in the order in which they were made; whatever is written forgets them all.
struct TraceFile(Arc<dyn FileOps>);

fn open_records() -> Result<Arc<dyn FileOps>, Errno> {
    let text = SeqFile::open(|key, text| {
        if key < FIRST_RECORD {
            head(text);
        }
        let mut number = key.saturating_sub(FIRST_RECORD);
        while !text.is_full() {
            let Some(record) = trace::next_from(number) else {
                return Ok(None);
            };
            text.add(format_args!("{record}\n"));
            number = record.number + 1;
        }
        Ok(Some(number + FIRST_RECORD))
    })?;
    Ok(fallible::arc(TraceFile(text))?)
}

fn head(text: &mut Text) {
    text.add(format_args!(
        "# tracer: nop\n#\n# records lost: {}\n#\n#           TASK-TID     (   PID) [CPU]   SECONDS: EVENT\n",
        trace::lost()
    ));
}

impl FileOps for TraceFile {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.0.read(io, to)
    }

    /// `echo > trace`.
    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        control::clear();
        Ok(from.left())
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
