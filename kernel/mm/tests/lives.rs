//! Random lives: several processes with threads on several processors do everything that can be done to memory, in an order
//! that one number decides. Every value, every refusal and every fault is compared with the shadow at once; everything is
//! recomputed from the raw tables every so many steps, and every processor may hold whatever it ever read.
//!
//! `HOLSTEIN_SEED=n` runs one seed alone, `HOLSTEIN_SEEDS` and `HOLSTEIN_STEPS` set how many and how long.

use crate::life::Life;
use crate::world::Settings;
use machine::random::Random;
use mm::MAX_CPUS;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps between two full checks, unless `HOLSTEIN_CHECK_EVERY` says otherwise.
const CHECK_EVERY: u64 = 40;

/// The settings of a seed: some lives are short of memory, some of ASIDs, some have but one; in most of them pages are late.
pub fn settings_of(seed: u64) -> Settings {
    let mut settings = Settings {
        is_caught: true,
        ..Settings::new(seed)
    };
    if seed % 5 == 1 {
        settings.frames = 150;
    }
    if seed % 3 == 1 {
        settings.asid_limit = Some(MAX_CPUS as u32 + 2);
    }
    if seed % 12 == 5 {
        settings.asid_limit = None;
    }
    settings.has_swap_errors = seed % 6 == 2;
    settings.late_pages = (seed % 4 != 3).then_some(8);
    settings
}

/// Runs one life of `steps` steps.
pub fn live(settings: Settings, steps: usize) -> [u64; 4] {
    let check_every = number_from_environment("HOLSTEIN_CHECK_EVERY", CHECK_EVERY) as usize;
    let life = Life::begin(settings);
    for step in 0..steps {
        life.step();
        if step % check_every == 0 {
            life.check();
        }
    }
    let statistics = life.finish();
    [
        statistics.faults.get(),
        statistics.interruptions.get(),
        statistics.refused.get(),
        statistics.deferred.get(),
    ]
}

/// A number from the environment.
pub fn number_from_environment(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => otherwise,
    }
}

/// Runs `seeds` on all processors of the host; returns the first failure by seed.
fn live_all(seeds: std::ops::Range<u64>, steps: usize) -> Result<[u64; 4], (u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get());
    let totals = std::sync::Mutex::new(Ok([0; 4]));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || totals.lock().unwrap().is_err() {
                        return;
                    }
                    let outcome = catch(|| live(settings_of(seed), steps));
                    let mut totals = totals.lock().unwrap();
                    match (&mut *totals, outcome) {
                        (Ok(sums), Ok(counts)) => {
                            sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
                        }
                        (sums, Err(message)) => *sums = Err((seed, message)),
                        (Err(_), _) => {}
                    }
                }
            });
        }
    });
    totals.into_inner().unwrap()
}

/// Runs `act`, and gives its panic message as an error.
pub fn catch<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
            .unwrap_or_default()
    })
}

#[test]
fn random_lives_match_their_shadows() {
    let steps = number_from_environment("HOLSTEIN_STEPS", 3_000) as usize;
    let only = number_from_environment("HOLSTEIN_SEED", u64::MAX);
    let seeds = match only {
        u64::MAX => 0..number_from_environment("HOLSTEIN_SEEDS", 300),
        seed => seed..seed + 1,
    };
    let begun = std::time::Instant::now();
    match live_all(seeds.clone(), steps) {
        Ok([faults, interruptions, refused, deferred]) => println!(
            "seeds {seeds:?} x {steps} steps in {:?}: {faults} faults, {interruptions} interruptions in the middle \
             of an operation, {refused} operations refused for want of memory, {deferred} waits for a page",
            begun.elapsed()
        ),
        Err((seed, message)) => {
            panic!("HOLSTEIN_SEED={seed} HOLSTEIN_STEPS={steps}: {message}")
        }
    }
}

/// The dice must not repeat themselves from seed to seed: else 300 lives would be few.
#[test]
fn seeds_give_different_lives() {
    let mut first: Vec<u64> = (0..300).map(|seed| Random::new(seed).bits()).collect();
    first.sort_unstable();
    first.dedup();
    assert_eq!(first.len(), 300);
}
