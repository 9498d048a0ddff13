//! Counting, cancelling and panicking tasks, on our own thread and on another's.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use futures::{channel::oneshot, future};

use super::*;

#[test]
fn tasks_are_counted_by_name() {
    let executor = Executor::new();
    let waiting = executor.spawn("waiting", future::pending::<()>());
    let (sender, receiver) = oneshot::channel();
    let first = executor.spawn("short", receiver);
    let second = executor.spawn("short", async { 7 });
    assert_eq!(executor.tasks(), [("short", 2), ("waiting", 1)]);
    assert_eq!(executor.block_on(second), 7);
    assert_eq!(executor.tasks(), [("short", 1), ("waiting", 1)]);
    sender.send("end").unwrap();
    assert_eq!(executor.block_on(first), Ok("end"));
    executor.block_on(waiting.cancel());
    assert_eq!(executor.tasks(), []);
}

#[test]
fn a_task_never_run_is_no_longer_counted_when_cancelled() {
    let executor = Executor::new();
    let task = executor.spawn("idle", future::pending::<()>());
    drop(task);
    executor.block_on(smol::future::yield_now());
    assert_eq!(executor.tasks(), []);
}

#[test]
fn a_panic_leaves_the_count_right_and_the_executor_working() {
    let executor = Executor::new();
    let task = executor.spawn("faulty", async { panic!("on purpose") });
    let other = executor.spawn("steady", async { 1 });
    assert!(catch_unwind(AssertUnwindSafe(|| executor.block_on(task))).is_err());
    assert_eq!(executor.block_on(other), 1);
    assert_eq!(executor.tasks(), []);
}

#[test]
fn own_tasks_run_on_the_calling_thread() {
    let executor = Executor::new();
    let here = thread::current().id();
    for _ in 0..3 {
        let task = executor.spawn("where", async { thread::current().id() });
        assert_eq!(executor.block_on(task), here);
    }
}

#[test]
fn a_foreign_spawner_runs_and_cancels_the_tasks() {
    let executor = Executor::from_spawner(|future| {
        thread::spawn(move || smol::block_on(future));
    });
    let here = thread::current().id();
    let task = executor.spawn("away", async { thread::current().id() });
    assert_ne!(executor.block_on(task), here);

    let waiting = executor.spawn("waiting", future::pending::<()>());
    assert_eq!(executor.tasks(), [("waiting", 1)]);
    executor.block_on(waiting.cancel());
    assert_eq!(executor.tasks(), []);

    let (sender, receiver) = oneshot::channel();
    libp2p::swarm::Executor::exec(&executor, Box::pin(async move { sender.send(()).unwrap() }));
    executor.block_on(receiver).unwrap();
}
