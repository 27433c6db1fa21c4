//! A comparison of several implementations, run in turns.

use std::fmt;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::{Input, allocations};

/// The number of turns of each candidate.
const ROUNDS: usize = 41;

/// The shortest duration of a turn.
const TURN: Duration = Duration::from_millis(2);

/// One of the implementations.
pub struct Candidate<'a> {
    name: String,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Candidate<'a> {
    /// Creates a candidate. `run` does all of its work once.
    pub fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    fn time(&mut self, times: u32) -> f64 {
        let start = cpu_time();
        (0..times).for_each(|_| (self.run)());
        cpu_time().saturating_sub(start).as_secs_f64() / f64::from(times)
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The result of [`compare`], a line for each candidate.
#[derive(Debug, Clone)]
pub struct Report {
    name: String,
    lines: Vec<Line>,
}

impl Report {
    /// Describes the columns. `unit` names what [`compare`] was given the number of, such as "a
    /// message".
    pub fn legend(unit: &str) -> String {
        format!(
            "nanoseconds {unit} (best of {ROUNDS} rounds), ratio of the best rounds, \
             median of the rounds' ratios"
        )
    }
}

#[derive(Debug, Clone)]
struct Line {
    name: String,
    /// The best round, in nanoseconds per unit.
    nanos: f64,
    /// The best round's ratio to the first candidate's.
    least: f64,
    /// The median of the rounds' ratios to the first candidate.
    middle: f64,
}

/// Runs the candidates in turns and compares them with the first. Each does `units` of work in one
/// run.
///
/// A candidate has two ratios: that of its best round to the first candidate's best round, and the
/// median of the ratios of all rounds. They differ if the machine did other work in some rounds,
/// which slows down some candidates more than others.
pub fn compare(
    name: impl Into<String>,
    units: usize,
    mut candidates: Vec<Candidate<'_>>,
) -> Report {
    let times: Vec<u32> = candidates.iter_mut().map(times).collect();
    let mut rounds: Vec<Vec<f64>> = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(
            candidates
                .iter_mut()
                .zip(&times)
                .map(|(candidate, times)| candidate.time(*times))
                .collect(),
        );
    }
    let least =
        |number: usize| rounds.iter().map(|round| round[number]).fold(f64::INFINITY, f64::min);
    let lines = candidates.iter().enumerate().map(|(number, candidate)| {
        let mut ratios: Vec<f64> = rounds.iter().map(|round| round[number] / round[0]).collect();
        ratios.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let nanos = least(number) * 1e9 / units as f64;
        let name = candidate.name.clone();
        Line { name, nanos, least: least(number) / least(0), middle: ratios[ROUNDS / 2] }
    });
    Report { name: name.into(), lines: lines.collect() }
}

/// A name, and a function that processes all messages of an input once.
pub type Work<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// Compares the functions over the messages of an input. Each name is followed by the allocations
/// per message in brackets.
pub fn compare_counted(input: &Input, mut work: Vec<Work<'_>>) -> Report {
    let candidates = work.iter_mut().map(|(name, run)| {
        let ((), count) = allocations(&mut *run);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let each = count as f64 / input.len() as f64;
        Candidate::new(format!("{name} ({each:.1})"), run)
    });
    let candidates = candidates.collect();
    compare(format!("{} (allocations a message)", input.name), input.len(), candidates)
}

/// Returns how often a candidate is run in one turn.
fn times(candidate: &mut Candidate<'_>) -> u32 {
    let mut times = 1;
    while candidate.time(times) * f64::from(times) < TURN.as_secs_f64() {
        times *= 2;
    }
    times
}

/// Returns the CPU time of this thread, which excludes the time of other threads.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for Line { name, nanos, least, middle } in &self.lines {
            writeln!(f, "  {name:<34} {nanos:10.1} ns {least:8.2} x {middle:8.2} x")?;
        }
        Ok(())
    }
}
