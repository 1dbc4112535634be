//! The demos: what people ask about copy-on-write, answered by running it. Each story is one function in the file of
//! its theme; it prints what it does and saw, and checks it. They use Linux's own interfaces, so they run on Linux for
//! comparison; what only Holstein can show is left out there, with the words `not on this kernel`.

mod cost;
mod exec;
mod faults;
mod paging;
mod pool;
mod shortage;
mod sibling;
mod stack;
mod story;
mod subshell;
mod tables;
mod tour;
mod two;

use crate::runtime::{Result, memory};
use story::Story;

/// A question: its number, its words, and the function that answers it.
struct Question {
    number: u32,
    text: &'static str,
    answer: fn(&mut Story) -> Result<()>,
}

const QUESTIONS: [Question; 16] = [
    Question {
        number: 1,
        text: "Pages are read-only after fork: why does the program get no SIGSEGV?",
        answer: faults::why_no_signal,
    },
    Question {
        number: 2,
        text: "Does the parent lose its data? Does its write fault too?",
        answer: two::who_writes_first,
    },
    Question {
        number: 3,
        text: "After the other one copied, must the last owner copy as well?",
        answer: two::last_owner,
    },
    Question {
        number: 4,
        text: "Same address, two processes, different content: how does the MMU tell?",
        answer: tables::two_roots,
    },
    Question {
        number: 5,
        text: "Do copy-on-write, demand-zero and brk share one pool? Are pages zeroed?",
        answer: pool::one_pool,
    },
    Question {
        number: 6,
        text: "What does malloc/brk do on growth; what is a page that is not there?",
        answer: pool::growth,
    },
    Question {
        number: 7,
        text: "What does exec do to the shared pages?",
        answer: exec::exec_lets_go,
    },
    Question {
        number: 8,
        text: "vfork: is there any copying?",
        answer: exec::vfork_copies_nothing,
    },
    Question {
        number: 9,
        text: "Is program text shared between processes?",
        answer: exec::shared_text,
    },
    Question {
        number: 10,
        text: "What does a fork cost; where do the minor faults show?",
        answer: cost::fork_cost,
    },
    Question {
        number: 11,
        text: "Would it help to copy the top-of-stack page at fork?",
        answer: stack::top_of_stack,
    },
    Question {
        number: 12,
        text: "Do they share translation tables too?",
        answer: tables::shared_tables,
    },
    Question {
        number: 13,
        text: "In `foo; (echo 1234 > file) & bar`, what does the subshell cost?",
        answer: subshell::subshell_cost,
    },
    Question {
        number: 14,
        text: "Which faults never reach the program, and which do?",
        answer: faults::which_faults,
    },
    Question {
        number: 15,
        text: "What happens when memory runs out in the middle of a copy?",
        answer: shortage::memory_runs_out,
    },
    Question {
        number: 16,
        text: "A page goes to swap and comes back: what do both sides of a fork see?",
        answer: paging::out_and_back,
    },
];

/// The program `cow`: `list`, `tour`, `all`, or `q1` and so on, several if wanted. 0 if every check passed.
pub fn main(arguments: &[&str]) -> i32 {
    let mut story = Story::default();
    match arguments.get(1..).unwrap_or_default() {
        [] | ["list" | "help" | "--help" | "-h"] => {
            list();
            return 0;
        }
        // What children run.
        ["pause"] => return sibling::pause(),
        ["all"] => {
            introduce(&story);
            QUESTIONS.iter().for_each(|question| tell(question, &mut story));
        }
        ["tour"] => tour::lead(&mut story),
        names => {
            for name in names {
                let wanted = number(name);
                match QUESTIONS.iter().find(|question| wanted == Some(question.number)) {
                    Some(question) => tell(question, &mut story),
                    None => {
                        eprintln!("cow: {name}: no such question; `cow list` lists them");
                        return 2;
                    }
                }
            }
        }
    }
    story.finish()
}

/// The number that a question is called by: `q12`, `Q12`, `12`.
fn number(name: &str) -> Option<u32> {
    name.trim_start_matches(['q', 'Q']).parse().ok()
}

fn list() {
    println!("Questions about copy-on-write. `cow q1` answers one, `cow tour` all in turn,");
    println!("`cow all` without a stop.\n");
    for question in &QUESTIONS {
        println!(
            "  {:<4} {}",
            alloc::format!("q{}", question.number),
            question.text
        );
    }
}

/// What the words of all stories mean.
fn introduce(story: &Story) {
    story.say(
        "Questions about copy-on-write, answered by programs that ask the kernel what happened. A frame is a page of \
         physical memory, named by its number; mapped 2x says how often it is mapped, counted over all \
         processes (/proc/kpagecount). `ok:` is \
         something that was checked here and now; `cow q2` at the shell asks one question alone.",
    );
}

fn tell(question: &Question, story: &mut Story) {
    // Faults are counted: those of the first run through a page of the program are nobody's answer.
    memory::touch_program();
    story.title(question.number, question.text);
    if let Err(error) = (question.answer)(story) {
        story.check(
            false,
            &alloc::format!("the story could be told to its end: {error}"),
        );
    }
}
