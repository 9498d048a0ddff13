//! Telling: troubles that begin or are over go to the log, to the readers of events and into the status.

use super::{
    command,
    event::{Event, TroubleEvent, TroubleState},
    state::Node,
    talk::rfc3339,
    troubles::{Code, Trouble},
};
use std::time::Instant;

impl Node {
    /// Something is wrong: told if that is new. `subject` is whom or what it is about, if there can be several.
    pub(super) fn trouble(&mut self, code: Code, subject: &str, sentence: &str, now: Instant) {
        if let Some(trouble) = self.troubles.begin(code, subject, sentence, now) {
            let (trouble, sentence) = (trouble.clone(), trouble.sentence.clone());
            self.tell(&trouble, TroubleState::Began, sentence, now);
        }
    }

    /// It is over: told if it was told of.
    pub(super) fn trouble_over(&mut self, code: Code, subject: &str, now: Instant) {
        if let Some(trouble) = self.troubles.end(code, subject) {
            let of = if subject.is_empty() { String::new() } else { format!("{}: ", trouble.subject) };
            self.tell(&trouble, TroubleState::Ended, format!("{of}{}", code.over()), now);
        }
    }

    fn tell(&self, trouble: &Trouble, state: TroubleState, sentence: String, now: Instant) {
        log::warn!("{sentence}");
        self.emit(Event::Trouble(TroubleEvent {
            code: trouble.code.name().into(),
            state,
            subject: trouble.subject.clone(),
            sentence,
            since: self.wall_time(trouble.since, now),
        }));
    }

    /// Whether the disk takes what it is given.
    pub(super) fn look_at_disk(&mut self, now: Instant) {
        let Some(disk) = &self.disk else { return };
        let error = disk.writer.error();
        self.reserve.on_looked(error.is_some());
        match error.as_deref().or(self.reserve.failing()) {
            Some(error) => {
                let sentence = format!(
                    "the disk does not take what a restart should find again ({error}): make space on it, or mount it \
                     writable; it is tried again until then, and after a crash lines may get ids that were given before"
                );
                self.trouble(Code::DiskRefuses, "", &sentence, now);
            }
            None if self.troubles.has(Code::DiskRefuses) => self.trouble_over(Code::DiskRefuses, "", now),
            None => {}
        }
    }

    /// What is wrong now, for the status.
    pub(super) fn trouble_list(&self, now: Instant) -> Vec<command::Trouble> {
        let entry = |it: &Trouble| command::Trouble {
            code: it.code.name().into(),
            subject: it.subject.clone(),
            sentence: it.sentence.clone(),
            since: self.wall_time(it.since, now),
            for_s: now.saturating_duration_since(it.since).as_secs(),
        };
        self.troubles.list().iter().map(entry).collect()
    }

    /// The wall time of a moment by the clock as it is now, which may have been set since.
    fn wall_time(&self, at: Instant, now: Instant) -> Option<String> {
        let ago_ms = now.saturating_duration_since(at).as_millis() as u64;
        rfc3339(self.unix_ms()?.checked_sub(ago_ms)?)
    }
}
