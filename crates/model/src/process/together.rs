//! Many instances at once on one thread: while one waits for its commit to be durable, the others go on, and so their commits share a sync.
//!
//! No runtime: futures are polled until they wait, and again when they are woken. What they wait for is the store, whose threads wake them; where the
//! store has no threads, whoever waits does its work, and so one future after the other runs to its end.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// Who can go on.
#[derive(Default)]
struct Woken {
    list: Mutex<VecDeque<usize>>,
    some: Condvar,
}

impl Woken {
    /// Waits until somebody can go on.
    fn next(&self) -> usize {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(first) = list.pop_front() {
                return first;
            }
            list = self.some.wait(list).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Puts one of them on the list.
struct Bell {
    index: usize,
    woken: Arc<Woken>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.woken.list.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.index);
        self.woken.some.notify_one();
    }
}

/// Runs all of `jobs`, at most `at_once` of them side by side, the first ones first. What they come to is in their order.
pub(super) fn together<F: Future>(jobs: impl IntoIterator<Item = F>, at_once: usize) -> Vec<F::Output> {
    let (mut jobs, woken) = (jobs.into_iter(), Arc::new(Woken::default()));
    let mut running: Vec<Option<(Pin<Box<F>>, Waker)>> = Vec::new();
    let mut outputs: Vec<Option<F::Output>> = Vec::new();
    let mut busy = 0;
    loop {
        let index = if busy < at_once.max(1)
            && let Some(job) = jobs.next()
        {
            let index = running.len();
            running.push(Some((Box::pin(job), Waker::from(Arc::new(Bell { index, woken: Arc::clone(&woken) })))));
            outputs.push(None);
            busy += 1;
            index
        } else if busy > 0 {
            woken.next()
        } else {
            return outputs.into_iter().map(|output| output.expect("a job that ended has come to something")).collect();
        };
        // Whoever has ended may have been woken once too often.
        let Some((job, waker)) = &mut running[index] else { continue };
        if let Poll::Ready(output) = job.as_mut().poll(&mut Context::from_waker(waker)) {
            (running[index], outputs[index]) = (None, Some(output));
            busy -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::poll_fn};

    use super::*;

    /// A job that says when it begins, gives way `pauses` times, and says when it ends.
    async fn job(name: char, pauses: u32, said: &RefCell<String>) -> char {
        said.borrow_mut().push(name);
        let mut left = pauses;
        poll_fn(|context| {
            left = left.saturating_sub(1);
            if left == 0 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        said.borrow_mut().push(name.to_ascii_uppercase());
        name
    }

    #[test]
    fn jobs_run_side_by_side_up_to_a_number_and_come_to_something_in_their_order() {
        let ran = |at_once| {
            let said = RefCell::default();
            let outputs =
                together([('a', 3), ('b', 1), ('c', 2)].map(|(name, pauses)| job(name, pauses, &said)), at_once);
            assert_eq!(outputs, ['a', 'b', 'c']);
            said.into_inner()
        };
        assert_eq!(ran(1), "aAbBcC");
        assert_eq!(ran(2), "abBcCA");
        assert_eq!(ran(9), "abBcCA");
        assert!(together(Vec::<std::future::Ready<()>>::new(), 4).is_empty());
    }

    #[test]
    fn whoever_waits_is_woken_from_another_thread() {
        let (sender, receiver) = std::sync::mpsc::channel::<Waker>();
        let answered = Arc::new(Mutex::new(false));
        let answer = Arc::clone(&answered);
        #[allow(clippy::disallowed_methods)] // as the store does
        let other = std::thread::spawn(move || {
            let waker = receiver.recv().expect("somebody waits");
            *answer.lock().expect("nobody panics") = true;
            waker.wake();
        });
        let asked = poll_fn(|context| {
            if *answered.lock().expect("nobody panics") {
                return Poll::Ready(7);
            }
            drop(sender.send(context.waker().clone()));
            Poll::Pending
        });
        assert_eq!(together([asked], 1), [7]);
        other.join().expect("ends");
    }
}
