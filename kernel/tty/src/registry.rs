//! The terminals that there are, by device number. A driver makes one and registers it; open(2) finds it here.

use alloc::sync::Arc;

use abi::Errno;
use lock::Mutex;
use memory::fallible::map::Map;

use super::Terminal;
use vfs::device_registry::DeviceNumber;

/// By the number as `st_rdev` has it.
static TERMINALS: Mutex<Map<u64, Arc<Terminal>>> = Mutex::new(Map::new());

/// From now on an open of its number finds the terminal.
///
/// # Errors
/// `EBUSY`: another has the number. `ENOMEM`.
pub fn register(terminal: Arc<Terminal>) -> Result<(), Errno> {
    let number = terminal.number().encode();
    let mut terminals = TERMINALS.lock();
    if terminals.contains_key(&number) {
        return Err(Errno::EBUSY);
    }
    terminals.insert(number, terminal).map(drop)
}

/// The terminal of that number.
pub fn find(number: DeviceNumber) -> Option<Arc<Terminal>> {
    TERMINALS.lock().get(&number.encode()).cloned()
}
