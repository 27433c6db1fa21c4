//! Runs a body on a small stack, so that unlimited recursion is found.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, Result};

use crate::Body;

/// The stack that suffices for every reader and writer of values. Sanitizers have larger frames and
/// get four times as much.
const STACK: usize = if cfg!(feature = "sanitizers") { 1 << 20 } else { 256 << 10 };

/// A thread that runs bodies one after the other.
struct Worker {
    work: Sender<(Body, Vec<u8>)>,
    done: Receiver<Result<()>>,
}

impl Worker {
    fn start() -> Self {
        let (work, todo) = channel::<(Body, Vec<u8>)>();
        let (ends, done) = channel();
        let run = move || {
            for (body, bytes) in todo {
                let end = catch_unwind(AssertUnwindSafe(|| body(&bytes)));
                if ends.send(end).is_err() {
                    break;
                }
            }
        };
        Builder::new().stack_size(STACK).spawn(run).expect("a thread");
        Self { work, done }
    }
}

thread_local! {
    /// One worker for each calling thread. A fuzzer has one such thread.
    static WORKER: RefCell<Worker> = RefCell::new(Worker::start());
}

/// Runs `body` on these bytes, and panics if it does.
pub(crate) fn run(body: Body, bytes: &[u8]) {
    let end = WORKER.with_borrow(|worker| {
        worker.work.send((body, bytes.to_vec())).expect("the worker waits for work");
        worker.done.recv().expect("the worker answers")
    });
    if let Err(panic) = end {
        resume_unwind(panic);
    }
}
