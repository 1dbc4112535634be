//! Plays scenes, two at a time, then those that keep several processors busy by themselves, and counts.

use crate::progress::Progress;
use crate::stage::{Build, Kernel, Stage};
use anyhow::Result;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::ops::Add;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many scenes play at once. Most keep about one processor busy.
const AT_ONCE: usize = 2;
/// How many processors of this machine a busy scene should have for itself.
const SHARE_OF_BUSY: usize = 4;
/// How much of a failed scene's transcript is printed.
const TAIL: usize = 40;

/// One scene.
#[derive(Clone, Copy)]
pub struct Scene {
    /// `theme.what_it_shows`
    pub name: &'static str,
    /// What happens in it.
    pub play: fn(&mut Stage) -> Result<()>,
    /// It uses nothing but Linux's interfaces, so that Linux must pass it too.
    pub is_portable: bool,
    /// The time after which it has failed.
    pub limit: Duration,
    /// The kernel that it wants when it plays on Holstein.
    pub build: Build,
    /// It keeps several processors busy.
    pub is_busy: bool,
}

/// What is chosen for all scenes together.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The kernel for [`Build::Normal`].
    pub normal: Kernel,
    /// The kernel for [`Build::Checked`]; the same one when it was named by hand, or is Linux.
    pub checked: Kernel,
    /// How long and from which seed the soak does its random work.
    pub soak: Soak,
    /// Print what the boards print while they do it.
    pub is_shown: bool,
    /// All boards run under the checker.
    pub is_watched: bool,
    /// All boards have a slow serial line.
    pub is_on_a_line: bool,
}

/// How much random work a soak does.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// For how long.
    pub seconds: u64,
    /// What decides the work; the same seed gives each process the same choices.
    pub seed: u64,
}

impl Setting {
    /// The kernel of that build.
    pub fn kernel(&self, build: Build) -> &Kernel {
        match build {
            Build::Normal => &self.normal,
            Build::Checked => &self.checked,
        }
    }
}

impl Scene {
    /// A scene that Linux must pass too.
    pub const fn portable(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Self {
        Scene {
            name,
            play,
            is_portable: true,
            limit: Duration::from_secs(180),
            build: Build::Normal,
            is_busy: false,
        }
    }

    /// A scene on what only Holstein has or says.
    pub const fn holstein(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Self {
        Scene {
            is_portable: false,
            ..Scene::portable(name, play)
        }
    }

    /// The same scene, which keeps several processors busy.
    pub const fn busy(self) -> Self {
        Scene {
            is_busy: true,
            ..self
        }
    }

    /// The same scene on the checked build: for what stresses the kernel more than it looks at its answers.
    pub const fn checked(self) -> Self {
        Scene {
            build: Build::Checked,
            ..self
        }
    }

    /// The same scene with another time limit.
    pub const fn within_seconds(self, seconds: u64) -> Self {
        Scene {
            limit: Duration::from_secs(seconds),
            ..self
        }
    }
}

/// How many scenes passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Scenes that did what they should.
    pub passed: usize,
    /// Scenes that did not.
    pub failed: usize,
}

impl Add for Count {
    type Output = Count;

    fn add(self, other: Count) -> Count {
        Count {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

/// Plays the scenes and prints a line for each. Those that have passed before, if somebody has kept that, are not played again.
pub fn play(scenes: &[Scene], setting: &Setting, passed: Option<Progress>) -> Count {
    let has_passed = |scene: &&Scene| passed.as_ref().is_some_and(|passed| passed.has(scene.name));
    let (before, scenes): (Vec<Scene>, Vec<Scene>) = scenes.iter().partition(has_passed);
    for scene in &before {
        println!("before {}", scene.name);
    }
    let passed = Mutex::new(passed);
    let count = play_all(&scenes, setting, &passed);
    let passed = passed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(passed) = passed {
        println!("watched: {}", passed.tally());
    }
    Count {
        passed: count.passed + before.len(),
        ..count
    }
}

fn play_all(scenes: &[Scene], setting: &Setting, passed: &Mutex<Option<Progress>>) -> Count {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (busy, others): (Vec<Scene>, Vec<Scene>) = scenes.iter().partition(|scene| scene.is_busy);
    let count = play_at_once(others, setting, passed, AT_ONCE);
    count + play_at_once(busy, setting, passed, (processors / SHARE_OF_BUSY).max(1))
}

/// Those that may take longest begin first, so that the last ones to end are short.
fn play_at_once(
    mut scenes: Vec<Scene>,
    setting: &Setting,
    passed: &Mutex<Option<Progress>>,
    at_once: usize,
) -> Count {
    scenes.sort_by_key(|scene| Reverse(scene.limit));
    let waiting = Mutex::new(VecDeque::from(scenes));
    let count = Mutex::new(Count::default());
    std::thread::scope(|threads| {
        for _ in 0..at_once {
            threads.spawn(|| {
                while let Some(scene) = take(&waiting) {
                    let has_passed = play_one(&scene, setting, passed);
                    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
                    if has_passed {
                        count.passed += 1
                    } else {
                        count.failed += 1
                    }
                }
            });
        }
    });
    count.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn take(waiting: &Mutex<VecDeque<Scene>>) -> Option<Scene> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Plays one scene; true if it passed.
fn play_one(scene: &Scene, setting: &Setting, passed: &Mutex<Option<Progress>>) -> bool {
    let start = Instant::now();
    let mut stage = match Stage::new(scene, setting) {
        Ok(stage) => stage,
        Err(error) => return report(scene, start, Err(error), ""),
    };
    let outcome = (scene.play)(&mut stage);
    let outcome = outcome.and(stage.close()).and_then(|()| {
        let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
        match passed.as_mut() {
            Some(passed) => passed.note(scene.name, stage.tally()?),
            None => Ok(()),
        }
    });
    report(scene, start, outcome, &stage.transcript())
}

fn report(scene: &Scene, start: Instant, outcome: Result<()>, transcript: &str) -> bool {
    let seconds = start.elapsed().as_secs_f32();
    match &outcome {
        Ok(()) => println!("ok     {:<40} {seconds:6.1} s", scene.name),
        Err(error) => {
            let lines: Vec<&str> = transcript.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n    | ");
            println!(
                "FAILED {:<40} {seconds:6.1} s\n    {error:#}\n    | {tail}",
                scene.name
            );
        }
    }
    outcome.is_ok()
}
