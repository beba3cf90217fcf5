//! Where commands queue that were overtaken by one another: on one thread that sends many at once, a decision that was overtaken is made again alone,
//! so that of those who want the same stream each gets its turn, in the order they came.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// A lane for one at a time, by numbers.
#[derive(Debug, Default)]
pub(crate) struct Lane(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    /// Whose turn it is.
    serving: u64,
    /// The number the next one draws.
    next: u64,
    /// Who waits, in the order of their numbers.
    waiting: VecDeque<Waker>,
}

/// The right to be in the lane. Dropped, it is the next one's turn.
#[derive(Debug)]
pub(crate) struct Turn<'l>(&'l Lane);

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the lane is free. Whoever begins to wait must go on until it is: a number that was drawn is never given back.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        let mut number = None;
        poll_fn(|context| {
            let mut numbers = self.lock();
            let number = *number.get_or_insert_with(|| {
                numbers.next += 1;
                if numbers.serving < numbers.next - 1 {
                    numbers.waiting.push_back(context.waker().clone());
                }
                numbers.next - 1
            });
            if numbers.serving == number { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let next = {
            let mut numbers = self.0.lock();
            numbers.serving += 1;
            numbers.waiting.pop_front()
        };
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Context};

    use super::*;

    #[test]
    fn turns_are_taken_in_the_order_they_were_asked_for() {
        let (lane, mut context) = (Lane::default(), Context::from_waker(Waker::noop()));
        let (mut first, mut second, mut third) = (pin!(lane.turn()), pin!(lane.turn()), pin!(lane.turn()));
        let Poll::Ready(turn) = first.as_mut().poll(&mut context) else { panic!("it is free") };
        assert!(second.as_mut().poll(&mut context).is_pending() && third.as_mut().poll(&mut context).is_pending());
        assert_eq!(lane.lock().waiting.len(), 2);
        drop(turn);
        assert!(third.as_mut().poll(&mut context).is_pending(), "it came later");
        let Poll::Ready(turn) = second.as_mut().poll(&mut context) else { panic!("it is its turn") };
        drop(turn);
        assert!(third.as_mut().poll(&mut context).is_ready());
    }
}
