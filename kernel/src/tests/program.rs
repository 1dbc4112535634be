//! Programs that are Rust functions: each runs on a thread of the host, which waits while the kernel runs and lets the kernel wait
//! while it runs. What it wants of its memory is done by its processor, page faults and all.
//!
//! A function stands at an address, where the program counter says that it runs: `fork` lets a child begin at another one, exec at
//! the entry of its file, and a signal at its handler.

use abi::nr;
use mm::VirtAddr;
use platform::host::program::Return;
use platform::user::UserContext;
use platform::user_copy;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// What a program does.
pub type Body = Arc<dyn Fn(&User) + Send + Sync>;

/// The functions by address.
static BODIES: Mutex<BTreeMap<u64, Body>> = Mutex::new(BTreeMap::new());
/// What the first function that panicked said.
static FAILURE: Mutex<Option<String>> = Mutex::new(None);

/// What a program wants.
enum Request {
    /// SVC: number, arguments, and where to go on.
    Call(u64, [u64; 6], Option<u64>),
    Load(u64, usize),
    Store(u64, Vec<u8>),
    /// The stack pointer.
    Stack,
    /// Work of a test's own in the kernel.
    Kernel(Arc<dyn Fn() + Send + Sync>),
    /// It has returned.
    Done,
    /// It panicked.
    Failed(String),
}

enum Reply {
    Value(u64),
    Bytes(Vec<u8>),
    Stack(u64),
}

/// A program's way to its processor.
pub struct User {
    to: Sender<Request>,
    from: Receiver<Reply>,
}

/// The payload with which a program ends that nobody waits for.
struct Gone;

impl User {
    fn ask(&self, request: Request) -> Reply {
        let reply = self.to.send(request).ok().and_then(|()| self.from.recv().ok());
        reply.unwrap_or_else(|| std::panic::resume_unwind(Box::new(Gone)))
    }

    fn value(&self, request: Request) -> u64 {
        match self.ask(request) {
            Reply::Value(value) => value,
            _ => unreachable!("a call gives a value"),
        }
    }

    /// A system call: what it returns, an error below 0.
    pub fn call(&self, number: usize, arguments: &[u64]) -> i64 {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        self.value(Request::Call(number as u64, all, None)) as i64
    }

    /// clone(2) with these arguments; the child is at `child`.
    pub fn clone_at(&self, child: u64, arguments: [u64; 5]) -> i64 {
        let [a, b, c, d, e] = arguments;
        self.value(Request::Call(nr::CLONE as u64, [a, b, c, d, e, 0], Some(child))) as i64
    }

    /// Reads memory.
    pub fn load(&self, at: u64, len: usize) -> Vec<u8> {
        match self.ask(Request::Load(at, len)) {
            Reply::Bytes(bytes) => bytes,
            _ => unreachable!("a load gives bytes"),
        }
    }

    /// A word of memory.
    pub fn word(&self, at: u64) -> u64 {
        let bytes = self.load(at, 8);
        u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }

    /// Writes memory.
    pub fn store(&self, at: u64, bytes: &[u8]) {
        self.value(Request::Store(at, bytes.to_vec()));
    }

    /// Works on its kernel thread, in the kernel: with no lock held, as a system call that has just begun.
    pub fn in_kernel(&self, work: impl Fn() + Send + Sync + 'static) {
        self.value(Request::Kernel(Arc::new(work)));
    }

    /// The stack pointer.
    pub fn stack(&self) -> u64 {
        match self.ask(Request::Stack) {
            Reply::Stack(sp) => sp,
            _ => unreachable!("the stack pointer was asked for"),
        }
    }
}

/// A function that runs, as its kernel thread sees it.
struct Running {
    to: Sender<Reply>,
    from: Receiver<Request>,
    /// Where it is: at an SVC there, or behind it.
    at: u64,
    /// What it asked for and did not get yet.
    asked: Option<Request>,
}

std::thread_local! {
    /// What runs on this kernel thread: the program, and above it handlers of signals.
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

/// The length of an instruction.
const SVC: u64 = 4;

/// Puts a function at an address.
pub fn place(at: u64, body: impl Fn(&User) + Send + Sync + 'static) {
    BODIES.lock().unwrap().insert(at, Arc::new(body));
}

/// What went wrong in a program, if something did.
pub fn failure() -> Option<String> {
    FAILURE.lock().unwrap().clone()
}

fn start(at: u64) -> Running {
    let body = BODIES.lock().unwrap().get(&at).cloned();
    let body = body.unwrap_or_else(|| panic!("no program stands at {at:#x}"));
    let (to, program_from) = channel();
    let (program_to, from) = channel();
    std::thread::spawn(move || {
        let user = User {
            to: program_to,
            from: program_from,
        };
        let run = std::panic::AssertUnwindSafe(|| body(&user));
        let last = match std::panic::catch_unwind(run) {
            Ok(()) => Request::Done,
            Err(payload) if payload.is::<Gone>() => return,
            Err(payload) => {
                let text = payload.downcast_ref::<String>().cloned();
                let text = text.or(payload.downcast_ref::<&str>().map(|text| (*text).into()));
                Request::Failed(text.unwrap_or_default())
            }
        };
        // Nobody hears it if the process has ended.
        let _ = user.to.send(last);
    });
    Running {
        to,
        from,
        at,
        asked: None,
    }
}

/// What all programs are: the function at the program counter goes on until it wants something of the kernel.
pub fn step(context: &mut UserContext) -> Return {
    RUNNING.with_borrow_mut(|stack| {
        let is_here = |running: &Running| context.pc == running.at || context.pc == running.at + SVC;
        while stack.len() > 1 && !is_here(&stack[stack.len() - 1]) && stack.iter().any(is_here) {
            stack.pop();
        }
        if !stack.last().is_some_and(is_here) {
            let at = context.pc & !(2 * SVC - 1);
            stack.push(start(at));
            context.pc = at;
        }
        let running = stack.last_mut().expect("something runs");
        running.go_on(context)
    })
}

impl Running {
    fn go_on(&mut self, context: &mut UserContext) -> Return {
        if context.pc == self.at + SVC {
            if matches!(self.asked, Some(Request::Call(..))) {
                self.asked = None;
                self.reply(Reply::Value(context.x[0]));
            }
            context.pc = self.at;
        }
        loop {
            let asked = self.asked.take();
            let request = asked.unwrap_or_else(|| self.from.recv().unwrap_or(Request::Done));
            match self.serve(&request, context) {
                Ok(reply) => self.reply(reply),
                Err(back) => {
                    self.asked = Some(request);
                    return back;
                }
            }
        }
    }

    fn reply(&self, reply: Reply) {
        // A program that has ended asks for nothing any more.
        let _ = self.to.send(reply);
    }

    fn serve(&mut self, request: &Request, context: &mut UserContext) -> Result<Reply, Return> {
        let abort = |fault: user_copy::UserFault| Return::Abort {
            address: fault.abort.address.0,
            access: fault.abort.access,
        };
        match request {
            Request::Call(number, arguments, child) => {
                context.x[..6].copy_from_slice(arguments);
                context.x[8] = *number;
                self.at = child.unwrap_or(self.at);
                context.pc = self.at + SVC;
                Err(Return::SystemCall)
            }
            Request::Load(at, len) => {
                let mut bytes = vec![0; *len];
                let loaded = user_copy::copy_from_user(&mut bytes, VirtAddr(*at));
                loaded.map(|()| Reply::Bytes(bytes)).map_err(abort)
            }
            Request::Store(at, bytes) => {
                let stored = user_copy::copy_to_user(VirtAddr(*at), bytes);
                stored.map(|()| Reply::Value(0)).map_err(abort)
            }
            Request::Kernel(work) => {
                work();
                Ok(Reply::Value(0))
            }
            Request::Stack => Ok(Reply::Stack(context.sp)),
            Request::Done => {
                // A handler goes back by the address that it was given; a program that returns ends its process.
                let number = if context.x[30] == 0 {
                    nr::EXIT_GROUP
                } else {
                    nr::RT_SIGRETURN
                };
                context.x[0] = 0;
                context.x[8] = number as u64;
                Err(Return::SystemCall)
            }
            Request::Failed(text) => {
                FAILURE.lock().unwrap().get_or_insert(text.clone());
                platform::power::semihosting_exit(99)
            }
        }
    }
}
