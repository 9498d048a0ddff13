//! Tells which addresses came and which went.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::Stream;
use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink},
};
use smol::{Async, Timer};

use super::{
    interface::Interface,
    list::{Picture, picture},
};

/// `RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`, from Linux's `rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// How long after the kernel's first word the addresses are listed (ms): one change of a link is a dozen messages.
/// Source: measured, bringing a veth up takes 2 ms to 20 ms.
const SETTLE_MS_MIN: u64 = 50;

/// The longest such delay (ms). It doubles when a listing finds nothing new, so that a driver that chatters costs
/// one listing a second. Source: guess.
const SETTLE_MS_MAX: u64 = 1_000;

/// How often addresses are listed when the kernel does not tell of changes (ms). Source: guess, a person waits
/// that long for a cable.
const POLL_MS_MIN: u64 = 5_000;

/// The longest such delay (ms). It doubles when a listing finds nothing new: a listing wakes the processor.
/// Source: guess.
const POLL_MS_MAX: u64 = 60_000;

/// How many of the kernel's messages are read in one turn (messages), so that a storm leaves time for others.
const READS_PER_TURN_MAX: u32 = 64;

/// What happened to an address of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The address can be used from now on.
    Up(Interface),
    /// The address is gone, or its interface is down or without a carrier.
    Down(Interface),
}

/// Tells of addresses that come and go; the first ones it tells of are those already there.
///
/// The kernel's word (a netlink socket) wakes it, nothing else: a quiet network costs nothing. Where that socket
/// cannot be had (forbidden by a sandbox, no file descriptor left) it lists the addresses every 5 s to 60 s and
/// tries the socket again each time.
///
/// A change of an address's attributes is [`Change::Down`] of the old and [`Change::Up`] of the new, in this order.
#[derive(Debug)]
pub struct Watcher {
    kernel: Option<Async<OwnedFd>>,
    /// Whether reading from it may succeed: saves the system call that would only say "nothing there".
    is_readable: bool,
    /// Whether the socket is wanted at all.
    wants_kernel: bool,
    known: Vec<Interface>,
    left_out: usize,
    /// At most twice `INTERFACES_MAX`: filled only when empty.
    pending: VecDeque<Change>,
    /// When to list next.
    timer: Option<Timer>,
    settle_ms: u64,
    poll_ms: u64,
}

impl Watcher {
    /// A watcher that has told nothing yet.
    pub fn new() -> Self {
        Self::with_kernel(true)
    }

    /// A watcher that does without the kernel's word: it lists every 5 s to 60 s.
    pub fn polling() -> Self {
        Self::with_kernel(false)
    }

    fn with_kernel(wants_kernel: bool) -> Self {
        Watcher {
            kernel: None,
            is_readable: false,
            wants_kernel,
            known: Vec::new(),
            left_out: 0,
            pending: VecDeque::new(),
            timer: Some(Timer::after(Duration::ZERO)),
            settle_ms: SETTLE_MS_MIN,
            poll_ms: POLL_MS_MIN,
        }
    }

    /// The addresses it told of and that have not gone since, including those still to be told by
    /// [`next`](Self::next).
    pub fn interfaces(&self) -> &[Interface] {
        &self.known
    }

    /// How many addresses of this host found no place among these.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether the kernel wakes it; if not, it polls.
    pub fn is_event_driven(&self) -> bool {
        self.kernel.is_some()
    }

    /// The next change; waits for it.
    pub async fn next(&mut self) -> Change {
        poll_fn(|cx| self.poll_change(cx)).await
    }

    /// As [`next`](Self::next), for use inside another `poll` function.
    pub fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<Change> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                return Poll::Ready(change);
            }
            if self.poll_kernel(cx).is_ready() && self.timer.is_none() {
                self.timer = Some(Timer::after(Duration::from_millis(self.settle_ms)));
            }
            match &mut self.timer {
                None => return Poll::Pending,
                Some(timer) => {
                    ready!(Pin::new(timer).poll(cx));
                    self.timer = None;
                    self.refresh();
                }
            }
        }
    }

    /// Ready when the kernel told of something; the waker is registered in either case.
    fn poll_kernel(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(kernel) = &self.kernel else { return Poll::Pending };
        let mut told = Poll::Pending;
        for _ in 0..READS_PER_TURN_MAX {
            if !self.is_readable {
                match kernel.poll_readable(cx) {
                    Poll::Pending => return told,
                    Poll::Ready(Ok(())) => self.is_readable = true,
                    Poll::Ready(Err(error)) => return self.lose_kernel(&error),
                }
            }
            // What it says does not matter, only that it spoke: the addresses are listed afresh.
            match rustix::net::recv(kernel, &mut [0u8; 1][..], RecvFlags::DONTWAIT) {
                // Told more than the socket could hold: told.
                Ok(_) | Err(Errno::NOBUFS) => told = Poll::Ready(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.is_readable = false,
                Err(error) => return self.lose_kernel(&error.into()),
            }
        }
        cx.waker().wake_by_ref();
        told
    }

    fn lose_kernel(&mut self, error: &io::Error) -> Poll<()> {
        log::debug!("interfaces: lost the kernel's messages: {error}");
        self.kernel = None;
        // A socket that fails at once after each opening must not become a loop: the next try is a poll away.
        self.timer = Some(Timer::after(Duration::from_millis(self.poll_ms)));
        Poll::Pending
    }

    /// Lists the addresses, queues the changes and sets the next timer.
    fn refresh(&mut self) {
        if self.kernel.is_none() && self.wants_kernel {
            // Before the listing, so that no change falls between the two.
            match open() {
                Ok(kernel) => (self.kernel, self.is_readable) = (Some(kernel), true),
                Err(error) => log::debug!("interfaces: no messages from the kernel: {error}"),
            }
        }
        let listed = picture();
        let failed = listed.is_err();
        match listed {
            Ok(Picture { interfaces: found, left_out }) => {
                self.left_out = left_out;
                let gone = self.known.iter().filter(|it| !found.contains(it)).cloned().map(Change::Down);
                let new = found.iter().filter(|it| !self.known.contains(it)).cloned().map(Change::Up);
                self.pending.extend(gone.chain(new));
                self.known = found;
            }
            Err(error) => log::debug!("interfaces: cannot list the addresses: {error}"),
        }
        if self.pending.is_empty() {
            self.settle_ms = (self.settle_ms * 2).min(SETTLE_MS_MAX);
            self.poll_ms = (self.poll_ms * 2).min(POLL_MS_MAX);
        } else {
            self.settle_ms = SETTLE_MS_MIN;
            self.poll_ms = POLL_MS_MIN;
        }
        if failed || self.kernel.is_none() {
            self.timer = Some(Timer::after(Duration::from_millis(self.poll_ms)));
        }
    }
}

impl Default for Watcher {
    fn default() -> Self {
        Self::new()
    }
}

/// Never ends.
impl Stream for Watcher {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        self.poll_change(cx).map(Some)
    }
}

fn open() -> io::Result<Async<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    Async::new_nonblocking(socket)
}

#[cfg(test)]
mod tests;
