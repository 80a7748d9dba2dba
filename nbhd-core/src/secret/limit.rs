//! The time that one step of a source may take.
//!
//! A file on a network disk and a keyring behind a message bus can hang. A step that may hang runs on a thread of its own; one that
//! does not answer within the limit is left behind, and too many that were left behind refuse further ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::Secret;
use super::source::Missing;

/// The most that one step may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How many steps may hang at the same time before nothing more is tried.
const MOST_HANGING: usize = 16;

static HANGING: AtomicUsize = AtomicUsize::new(0);

type Found = Result<Secret, Missing>;

/// Runs a step, at most for the limit.
pub(super) fn within(step: impl FnOnce() -> Found + Send + 'static) -> Found {
    run(step, LIMIT, &HANGING)
}

fn run(
    step: impl FnOnce() -> Found + Send + 'static,
    limit: Duration,
    hanging: &'static AtomicUsize,
) -> Found {
    if hanging.load(Ordering::Relaxed) >= MOST_HANGING {
        return Err(Missing::Silent(
            "too many sources of secrets do not answer".to_owned(),
        ));
    }
    let (answer, answered) = sync_channel(1);
    // Whoever comes second, the step or the limit, sees what the first one did.
    let done = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&done);
    let thread = std::thread::Builder::new()
        .name("nbhd-secret".to_owned())
        .spawn(move || {
            let _ = answer.send(step());
            if counted.fetch_add(1, Ordering::AcqRel) == 1 {
                hanging.fetch_sub(1, Ordering::Relaxed);
            }
        });
    if thread.is_err() {
        return Err(Missing::Silent("no thread can be started to read it".to_owned()));
    }
    match answered.recv_timeout(limit) {
        Ok(found) => found,
        Err(RecvTimeoutError::Disconnected) => Err(Missing::Silent("reading it failed".to_owned())),
        Err(RecvTimeoutError::Timeout) => {
            hanging.fetch_add(1, Ordering::Relaxed);
            if done.fetch_add(1, Ordering::AcqRel) == 1 {
                hanging.fetch_sub(1, Ordering::Relaxed);
            }
            Err(Missing::Silent(format!(
                "it did not answer within {} s",
                limit.as_secs_f64()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::super::Secret;
    use super::super::source::Missing;
    use super::{LIMIT, MOST_HANGING, run};

    static HANGING: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn a_step_that_hangs_is_left_behind_and_too_many_refuse() {
        let short = Duration::from_millis(5);
        let mut holds = Vec::new();
        for _ in 0..MOST_HANGING {
            let (release, hold) = channel::<()>();
            holds.push(release);
            let step = move || {
                let _ = hold.recv();
                Ok(Secret::new("too late"))
            };
            let Err(Missing::Silent(why)) = run(step, short, &HANGING) else {
                panic!("a step that hangs gave something");
            };
            assert!(why.contains("did not answer within 0.005 s"), "{why}");
        }
        let refused = run(|| Ok(Secret::new("x")), LIMIT, &HANGING);
        assert!(matches!(refused, Err(Missing::Silent(why)) if why.contains("too many")));
        // Those that answer after all are forgiven.
        drop(holds);
        while HANGING.load(Ordering::Relaxed) > 0 {
            std::thread::yield_now();
        }
        assert!(run(|| Ok(Secret::new("x")), LIMIT, &HANGING).is_ok());
        let panics = || -> Result<Secret, Missing> { panic!("a careless step") };
        assert!(matches!(run(panics, LIMIT, &HANGING), Err(Missing::Silent(_))));
    }
}
