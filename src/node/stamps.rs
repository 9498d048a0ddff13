//! Stamps are written down before they are given.
//!
//! A disk that does not take writes, or not in time, keeps nobody from talking: then a crash may give ids twice, and that
//! is said.

use super::{command::Command, event::Event, handle::Reply, reserve::DISK_PATIENCE_MS, state::Node, talk::rfc3339};
use crate::{
    chat::{core::Core, message::MessageId},
    store::{
        clock_mark::{self, CLOCK_MARK_FILE},
        writer::{Outcome, Write},
    },
    wire::{frame::Frame, room::RoomName},
};
use std::time::Instant;

impl Node {
    /// Has written down what is needed next, if it is not.
    pub(super) fn reserve_stamps(&mut self) {
        let now = self.now();
        let Some(disk) = self.disk.as_ref().filter(|_| self.reserve.is_free()) else { return };
        let Some(spent) = self.core.clock_mut().reserve(now) else { return };
        let write = Write { path: disk.dir.join(CLOCK_MARK_FILE), bytes: clock_mark::to_bytes(&spent) };
        match disk.writer.write_and_tell(write) {
            Ok(answer) => self.reserve.on_asked(answer, Instant::now()),
            Err(busy) => self.reserve.on_failed(busy.to_string()),
        }
        if self.reserve.is_failing() {
            self.core.clock_mut().on_written();
        }
    }

    /// Does what needs a stamp, or has it wait until that is written down.
    pub(super) async fn stamp_and_do(&mut self, command: Command, reply: Reply) {
        self.reserve_stamps();
        let now = self.now();
        if self.reserve.is_waited_for() || !self.core.clock_mut().has_stamp(now) {
            return self.reserve.push(command, reply);
        }
        self.do_command(command, reply).await;
        // What comes next should not have to wait.
        self.reserve_stamps();
    }

    /// The disk has answered.
    pub(super) async fn on_stamps_written(&mut self, outcome: Outcome) {
        match outcome {
            Ok(()) => self.reserve.on_written(),
            Err(why) => self.reserve.on_failed(why),
        }
        self.core.clock_mut().on_written();
        self.restamp_waiting();
        self.do_waiting().await;
    }

    /// Waits no longer for a disk that takes too long.
    pub(super) async fn give_up_disk(&mut self, now: Instant) {
        if self.reserve.next_due().is_some_and(|at| at <= now) {
            self.reserve.on_failed(format!("the disk has not answered for {} s", DISK_PATIENCE_MS / 1_000));
            self.core.clock_mut().on_written();
            self.do_waiting().await;
        }
    }

    async fn do_waiting(&mut self) {
        while let Some((command, reply)) = self.reserve.pop() {
            self.reserve_stamps();
            let now = self.now();
            if !self.core.clock_mut().has_stamp(now) {
                return self.reserve.put_back(command, reply);
            }
            self.do_command(command, reply).await;
        }
        self.reserve_stamps();
    }

    /// Stamps anew what waits and has a time that has turned out to be wrong, with all that follows it in its room: nobody
    /// has it. False if the disk has to answer first.
    pub(super) fn restamp_waiting(&mut self) -> bool {
        let (now, at) = (self.now(), Instant::now());
        let Node { outbox, core, twin, .. } = self;
        let said_ms = |said: Instant| now.monotonic_ms.saturating_sub((at - said).as_millis() as u64);
        let is_off = |core: &Core, room: &RoomName, data: &[u8], said| {
            !room.is_others() && core.is_off(data, said_ms(said), now)
        };
        if !outbox.any(|room, data, said| is_off(core, room, data, said)) {
            return true;
        }
        let (mut stamped, mut off, mut is_done): (Vec<Event>, Option<RoomName>, bool) = (Vec::new(), None, true);
        outbox.change(at, |room, data, said| {
            if !is_done || (off.as_ref() != Some(room) && !is_off(core, room, data, said)) {
                return None;
            }
            off = Some(room.clone());
            let Ok((former, anew)) = core.restamp(room, data, now) else {
                is_done = false;
                return None;
            };
            let Frame { stamp, .. } = Frame::decode(&anew).ok()?;
            let id = MessageId::new(former.from(), stamp)?;
            // When it comes back it is our own.
            twin.on_own_line(stamp);
            let time = core.clock().is_wall_time(stamp).then(|| rfc3339(stamp)).flatten();
            let (room, former, id) = (room.as_str().to_owned(), former.to_string(), id.to_string());
            stamped.push(Event::Restamped { room, former, id, stamp, time });
            Some((stamp, anew.as_slice().into()))
        });
        for event in stamped {
            self.count("waiting lines stamped anew");
            self.emit(event);
        }
        self.reserve_stamps();
        is_done
    }

    /// Writes down exactly which stamps were given, for the next start.
    pub(super) fn write_given_stamps(&self) {
        let Some(disk) = &self.disk else { return };
        let write =
            Write { path: disk.dir.join(CLOCK_MARK_FILE), bytes: clock_mark::to_bytes(&self.core.clock().given()) };
        if let Err(busy) = disk.writer.write(write) {
            log::warn!("the stamps given are not written down: {busy}");
        }
    }
}
