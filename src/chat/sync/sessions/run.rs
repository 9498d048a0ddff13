//! What the sessions do with what happens.

use super::{
    ANSWER_TIMEOUT_MS, ASKED_MS, BARRED_MS, BeginError, Box, EndReason, Exchange, ITEMS_PER_QUESTION, Input, Library,
    Messages, Opening, Output, Peer, Refusal, Request, Running, SESSION_MS_MAX, Served, Session, SessionError,
    SessionKey, Sessions, Step, Topic, Vec, serve,
};

impl<P: Ord + Copy> Sessions<P> {
    /// Takes what happened at `now_ms` of the monotonic clock. Only [`Input::Begin`] is ever refused.
    pub fn handle<L: Library>(&mut self, input: Input<'_, P>, library: &mut L, now_ms: u64) -> Result<(), BeginError> {
        match input {
            Input::Begin { peer, topic, opening, key } => {
                return self.begin(peer, &topic, opening, key, library, now_ms);
            }
            Input::Request { peer, id, bytes } => self.on_request(peer, id, bytes, library, now_ms),
            Input::Response { peer, bytes } => {
                let Some((run, room)) = self.running(peer, now_ms) else { return Ok(()) };
                let step = if run.waits_for_peer() {
                    run.handle_response(library, bytes, room)
                } else {
                    Err(SessionError::NoAnswer.into())
                };
                self.go_on(peer, step, now_ms);
            }
            Input::Failed { peer } => {
                let Some((run, room)) = self.running(peer, now_ms) else { return Ok(()) };
                let step = run.handle_failure(library, room);
                self.go_on(peer, step, now_ms);
            }
            Input::Judged { peer, id: None, refused } => {
                let Some((run, room)) = self.running(peer, now_ms) else { return Ok(()) };
                let step = run.handle_judgement(library, refused, room);
                self.go_on(peer, step, now_ms);
            }
            Input::Judged { peer, id: Some(id), refused } => self.on_judged_gift(peer, id, refused, now_ms),
            Input::Gone { peer } => {
                self.go_on(peer, Err(EndReason::Gone), now_ms);
                if let Some(known) = self.peer(peer) {
                    known.giving = None;
                }
            }
        }
        Ok(())
    }

    /// Ends the sessions whose time is over.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        let late = |peer: &Peer<P>| {
            let run = peer.running.as_ref()?;
            match (now_ms >= run.over_by, now_ms >= run.answer_by) {
                (true, _) => Some(EndReason::TooLong),
                (_, true) => Some(EndReason::Unanswered),
                _ => None,
            }
        };
        while let Some((peer, why)) = self.peers.iter().find_map(|known| Some((known.peer, late(known)?))) {
            self.go_on(peer, Err(why), now_ms);
        }
    }

    fn begin<L: Library>(
        &mut self,
        peer: P,
        topic: &Topic,
        opening: Opening,
        key: SessionKey,
        library: &L,
        now_ms: u64,
    ) -> Result<(), BeginError> {
        let items = library.items(topic).ok_or(BeginError::NotJoined)?;
        let (limit, full) = (self.limits.frame_bytes_max, self.sessions.length >= self.sessions.capacity);
        let known = self.known(peer, now_ms).ok_or(BeginError::NoRoom)?;
        if known.running.is_some() || known.asked_ms.is_some_and(|asked| now_ms < asked + ASKED_MS) {
            return Err(BeginError::UnderWay);
        }
        if now_ms < known.barred_until {
            return Err(BeginError::Barred);
        }
        if full {
            self.sessions.dropped();
            return Err(BeginError::SessionsMax(self.sessions.capacity));
        }
        let session = Session::begin(items, topic, key, limit, 0, opening).map_err(|_| BeginError::NoRoom)?;
        let (exchange, bytes) = Exchange::begin(session);
        let (answer_by, over_by) = (now_ms + ANSWER_TIMEOUT_MS, now_ms + SESSION_MS_MAX);
        known.running = Some(Running { exchange, answer_by, over_by });
        self.sessions.note(self.sessions.length + 1);
        self.outputs.push_back(Output::Request { peer, bytes });
        Ok(())
    }

    /// The place of a peer. A full table lets one go that has no session, best one of which nothing is being looked at: the
    /// one not heard of for longest.
    fn known(&mut self, peer: P, now_ms: u64) -> Option<&mut Peer<P>> {
        let at = match self.peers.iter().position(|known| known.peer == peer) {
            Some(at) => at,
            None => {
                let idle = self.peers.iter().enumerate().filter(|(_, known)| known.running.is_none());
                let worth = |known: &Peer<P>| (known.giving.is_some(), known.barred_until > now_ms, known.seen_ms);
                let least = idle.min_by_key(|(_, known)| worth(known)).map(|(at, _)| at);
                if let Some(least) = least.filter(|_| self.peers.len() >= self.limits.peers_max.max(1)) {
                    self.peers.swap_remove(least);
                }
                self.peers.push(Peer::new(peer, &self.limits.shares, now_ms));
                self.peers.len() - 1
            }
        };
        let known = self.peers.get_mut(at)?;
        known.seen_ms = now_ms;
        Some(known)
    }

    fn peer(&mut self, peer: P) -> Option<&mut Peer<P>> {
        self.peers.iter_mut().find(|known| known.peer == peer)
    }

    /// The session with this peer that is under way, and how many messages and bytes it may still bring.
    fn running(&mut self, peer: P, now_ms: u64) -> Option<(&mut Exchange, (u64, u64))> {
        let known = self.peer(peer)?;
        let room = known.may_bring(now_ms);
        known.running.as_mut().map(|run| (&mut run.exchange, room))
    }

    /// Does what follows from a step of a session that is under way.
    fn go_on(&mut self, peer: P, step: Result<Step, EndReason>, now_ms: u64) {
        let Some(known) = self.peers.iter_mut().find(|known| known.peer == peer) else { return };
        let Some(run) = &mut known.running else { return };
        known.seen_ms = now_ms;
        let end = match step {
            Ok(Step::Ask(bytes)) => {
                run.answer_by = now_ms + ANSWER_TIMEOUT_MS;
                self.outputs.push_back(Output::Request { peer, bytes });
                return;
            }
            Ok(Step::Deliver(messages)) => {
                // The caller takes the time it takes; the session as a whole has an end.
                run.answer_by = run.over_by;
                let topic = run.exchange.session().topic().clone();
                known.taken.0.charge(messages.len() as u64, now_ms);
                known.taken.1.charge(bytes_of(&messages), now_ms);
                self.outputs.push_back(Output::Deliver { peer, id: None, topic, messages });
                return;
            }
            Ok(Step::Done) => Ok(run.exchange.session().since()),
            Err(why) => Err(why),
        };
        let (topic, fetched, given) =
            (run.exchange.session().topic().clone(), run.exchange.fetched, run.exchange.given);
        known.running = None;
        self.sessions.note(self.sessions.length.saturating_sub(1));
        match &end {
            Ok(_) => self.counts.ended.tick(),
            Err(EndReason::Yielded) => {}
            Err(why) => {
                self.counts.failed.tick();
                if why.is_misbehaviour() {
                    self.bar(peer, now_ms);
                }
            }
        }
        self.outputs.push_back(Output::Ended { peer, topic, end, fetched, given });
    }

    fn bar(&mut self, peer: P, now_ms: u64) {
        if let Some(known) = self.known(peer, now_ms) {
            known.barred_until = now_ms + BARRED_MS;
        }
        self.counts.misbehaved.tick();
        self.outputs.push_back(Output::Misbehaved { peer });
    }

    fn on_request<L: Library>(&mut self, peer: P, id: u64, bytes: &[u8], library: &mut L, now_ms: u64) {
        let limit = self.limits.frame_bytes_max;
        let request = Request::decode(bytes);
        if let Ok(Request::Compare { question, .. }) = &request
            && self.crosses(peer, question.topic)
        {
            if peer > self.own {
                // It will let its own go when ours arrives.
                let bytes = serve::refuse(Refusal::Busy).bytes;
                self.outputs.push_back(Output::Response { peer, id, bytes });
                return;
            }
            self.go_on(peer, Err(EndReason::Yielded), now_ms);
        }
        let Some(known) = self.known(peer, now_ms) else { return };
        known.asked_ms = Some(now_ms);
        let shared = now_ms >= known.barred_until && known.questions.take(1, now_ms);
        let served = match request {
            _ if !shared => Some(serve::refuse(Refusal::Busy)),
            Err(_) => None,
            Ok(mut request @ Request::Compare { .. }) => {
                if let Request::Compare { question, .. } = &mut request {
                    question.limit = question.limit.min(limit);
                }
                let served = serve::compare(library, &request);
                if served.as_ref().is_some_and(|served| served.same)
                    && let Request::Compare { question, .. } = request
                    && let Ok(topic) = question.topic.try_into()
                {
                    self.outputs.push_back(Output::Same { peer, topic });
                }
                served
            }
            Ok(Request::Fetch { mut question, span, tags }) => {
                question.limit = question.limit.min(limit);
                match (known.sent.0.left(now_ms), known.sent.1.left(now_ms)) {
                    (0, _) | (_, 0) => Some(serve::refuse(Refusal::Busy)),
                    (messages, bytes) => {
                        let served = serve::fetch(library, &question, span, tags, messages, bytes).unwrap_or_default();
                        known.sent.0.charge(served.messages, now_ms);
                        known.sent.1.charge(served.bytes.len() as u64, now_ms);
                        Some(served)
                    }
                }
            }
            Ok(Request::Give { topic, messages }) => match self.on_gift(peer, id, topic, messages, library, now_ms) {
                Some(refusal) => Some(serve::refuse(refusal)),
                None => return,
            },
        };
        match served {
            Some(Served { bytes, looked_at, .. }) => {
                if let Some(known) = self.peer(peer) {
                    known.questions.charge(looked_at / ITEMS_PER_QUESTION, now_ms);
                }
                let busy = bytes == serve::refuse(Refusal::Busy).bytes;
                if busy {
                    self.counts.busy.tick()
                } else {
                    self.counts.answered.tick()
                }
                self.outputs.push_back(Output::Response { peer, id, bytes });
            }
            None => {
                let bytes = serve::refuse(Refusal::Busy).bytes;
                self.outputs.push_back(Output::Response { peer, id, bytes });
                self.bar(peer, now_ms);
            }
        }
    }

    /// Whether a session of ours with this peer about this room is under way.
    fn crosses(&self, peer: P, topic: &str) -> bool {
        let known = self.peers.iter().find(|known| known.peer == peer);
        let running = known.and_then(|known| known.running.as_ref());
        running.is_some_and(|run| run.exchange.session().topic().as_str() == topic)
    }

    /// Takes messages that a peer brings unasked: it found out that we lack them.
    fn on_gift<L: Library>(
        &mut self,
        peer: P,
        id: u64,
        topic: &str,
        messages: Messages<'_>,
        library: &L,
        now_ms: u64,
    ) -> Option<Refusal> {
        let (Some(_), Ok(room)) = (library.items(topic), Topic::try_from(topic)) else {
            return Some(Refusal::UnknownRoom);
        };
        let Some(known) = self.known(peer, now_ms) else { return Some(Refusal::Busy) };
        let (messages_left, bytes_left) = known.may_bring(now_ms);
        if known.giving.is_some() || messages_left == 0 || bytes_left == 0 {
            return Some(Refusal::Busy);
        }
        let taken = usize::try_from(messages_left).unwrap_or(usize::MAX);
        let messages: Vec<Box<[u8]>> = messages.take(taken).map(Box::from).collect();
        known.taken.0.charge(messages.len() as u64, now_ms);
        known.taken.1.charge(bytes_of(&messages), now_ms);
        known.giving = Some((id, u16::try_from(messages.len()).unwrap_or(u16::MAX)));
        self.outputs.push_back(Output::Deliver { peer, id: Some(id), topic: room, messages });
        None
    }

    fn on_judged_gift(&mut self, peer: P, id: u64, refused: u32, now_ms: u64) {
        let Some(known) = self.peer(peer) else { return };
        let Some((asked, looked_at)) = known.giving.filter(|(asked, _)| *asked == id) else { return };
        known.giving = None;
        self.counts.answered.tick();
        let refused_count = u16::try_from(refused).unwrap_or(u16::MAX);
        let bytes = serve::taken(looked_at, refused_count);
        self.outputs.push_back(Output::Response { peer, id: asked, bytes });
        // One or two may be refused for reasons of our own.
        if refused > 2 && u64::from(refused) * 2 > u64::from(looked_at) {
            self.bar(peer, now_ms);
        }
    }
}

fn bytes_of(messages: &[Box<[u8]>]) -> u64 {
    messages.iter().map(|message| message.len() as u64).sum()
}
