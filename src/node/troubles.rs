//! What is wrong and can be helped: each trouble once, from when it is noticed until it is over.
//!
//! A list and nothing else: it looks at nothing by itself, and telling is up to whoever holds it
//! ([`Node::trouble`](super::state::Node) does). To add a trouble: a line in `codes!` below, a row in the README's table
//! (a test asks for it), and a `trouble` and a `trouble_over` where it is noticed.

use std::time::Instant;

/// Subjects of one code that are listed: the fifth unreachable address says nothing new. Others can bring about troubles,
/// so this also bounds the list, to this many times the codes.
pub const SUBJECTS_PER_CODE_MAX: usize = 4;
/// Characters of a subject; the rest is cut. The longest multiaddr with a peer id has about as many.
pub const SUBJECT_CHARS_MAX: usize = 160;
/// Characters of a sentence; the rest is cut. Guess: three lines of a terminal hold it.
pub const SENTENCE_CHARS_MAX: usize = 480;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, over: $over:literal;)+) => {
        /// What sort of trouble it is. Its name in JSON never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name),+];

            /// Its name in JSON, in the log and in `doctor`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$name => $code),+ }
            }

            /// What is told when it is over.
            pub const fn over(self) -> &'static str {
                match self { $(Code::$name => $over),+ }
            }
        }
    };
}

codes! {
    /// Another program runs under this peer's identity: a copied card or directory.
    IdentityTwice = "identity_twice", over: "this identity is no longer used elsewhere";
    /// Others refuse what is said here, because its time is ahead of clocks that are synchronised.
    ClockRefused = "clock_refused", over: "nobody refuses the time of what is said here any more";
    /// Peers whose clocks are synchronised say that the clock of this machine is off.
    ClockDoubted = "clock_doubted", over: "the clock of this machine is not known to be off any more";
    /// Another peer's identity is used twice: its connections jump between two addresses. The subject is the peer.
    PeerTwice = "peer_twice", over: "it has stayed where it is";
    /// Another program keeps port 5353 for itself: nobody is found by multicast DNS.
    MdnsPortHeld = "mdns_port_held", over: "port 5353 is free again, and peers are found by multicast DNS";
    /// Multicast DNS cannot be spoken. The subject is the interface.
    MdnsFails = "mdns_fails", over: "multicast DNS works again";
    /// This host has more addresses or interfaces than are looked at.
    AddressesCut = "addresses_cut", over: "all addresses of this host are looked at again";
    /// Nobody is connected.
    NobodyFound = "nobody_found", over: "somebody is connected";
    /// A bootstrap node cannot be reached. The subject is its address.
    BootstrapUnreachable = "bootstrap_unreachable", over: "connected";
    /// A peer's identity is a key of a kind that is not known here. The subject is where it is.
    KeyUnsupported = "key_unsupported", over: "not tried any more";
    /// A limit has refused something again and again. The subject is the limit.
    LimitRefuses = "limit_refuses", over: "the limit refuses nothing any more";
    /// The disk does not take what is to outlive a restart.
    DiskRefuses = "disk_refuses", over: "the disk takes writes again";
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What sort.
    pub code: Code,
    /// Whom or what it is about, if there can be several: a peer, an address, a limit. Else empty.
    pub subject: String,
    /// What is wrong and what helps, in a sentence.
    pub sentence: String,
    /// Since when.
    pub since: Instant,
}

/// What is wrong now.
#[derive(Debug, Default)]
pub struct Troubles {
    now: Vec<Trouble>,
    unlisted: u64,
}

impl Troubles {
    /// Something is wrong. The trouble, if that is new and to be told; if it is known, its sentence becomes this one.
    pub fn begin(&mut self, code: Code, subject: &str, sentence: &str, now: Instant) -> Option<&Trouble> {
        let (subject, sentence) = (cut(subject, SUBJECT_CHARS_MAX), cut(sentence, SENTENCE_CHARS_MAX));
        if let Some(known) = self.now.iter_mut().find(|it| it.code == code && it.subject == subject) {
            known.sentence = sentence;
            return None;
        }
        if self.now.iter().filter(|it| it.code == code).count() >= SUBJECTS_PER_CODE_MAX {
            self.unlisted += 1;
            return None;
        }
        let at = self.now.partition_point(|it| it.code <= code);
        self.now.insert(at, Trouble { code, subject, sentence, since: now });
        self.now.get(at)
    }

    /// It is over. The trouble, if there was one: that is to be told.
    pub fn end(&mut self, code: Code, subject: &str) -> Option<Trouble> {
        let subject = cut(subject, SUBJECT_CHARS_MAX);
        let at = self.now.iter().position(|it| it.code == code && it.subject == subject)?;
        Some(self.now.remove(at))
    }

    /// What is wrong now, by code and then by age.
    pub fn list(&self) -> &[Trouble] {
        &self.now
    }

    /// The subjects of the troubles of this sort.
    pub fn subjects(&self, code: Code) -> Vec<String> {
        self.now.iter().filter(|it| it.code == code).map(|it| it.subject.clone()).collect()
    }

    /// Whether there is a trouble of this sort.
    pub fn has(&self, code: Code) -> bool {
        self.now.iter().any(|it| it.code == code)
    }

    /// Troubles that found [`SUBJECTS_PER_CODE_MAX`] others of their code, counted each time they were noticed.
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, time::Duration};

    #[test]
    fn a_trouble_is_told_once_when_it_begins_and_once_when_it_ends() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
        let later = start + Duration::from_secs(5);
        assert_eq!(troubles.end(Code::DiskRefuses, ""), None, "nothing was wrong");
        let told = troubles.begin(Code::DiskRefuses, "", "no space: make some", start).cloned().unwrap();
        assert_eq!((told.code, told.sentence.as_str(), told.since), (Code::DiskRefuses, "no space: make some", start));
        assert_eq!(troubles.begin(Code::DiskRefuses, "", "read-only: mount it", later), None, "it is known");
        assert_eq!(troubles.list()[0].sentence, "read-only: mount it");
        assert_eq!(troubles.list()[0].since, start);
        assert!(troubles.has(Code::DiskRefuses) && !troubles.has(Code::IdentityTwice));
        assert_eq!(troubles.end(Code::DiskRefuses, "").unwrap().since, start);
        assert_eq!(troubles.end(Code::DiskRefuses, ""), None, "it is over");
        assert!(troubles.begin(Code::DiskRefuses, "", "again", later).is_some());
    }

    #[test]
    fn subjects_are_apart_and_the_list_is_in_order() {
        let (mut troubles, now) = (Troubles::default(), Instant::now());
        for (code, subject) in [
            (Code::DiskRefuses, ""),
            (Code::LimitRefuses, "b"),
            (Code::LimitRefuses, "a"),
            (Code::IdentityTwice, "192.0.2.1"),
        ] {
            assert!(troubles.begin(code, subject, "x", now).is_some());
        }
        let list: Vec<_> = troubles.list().iter().map(|it| (it.code.name(), it.subject.as_str())).collect();
        assert_eq!(
            list,
            [("identity_twice", "192.0.2.1"), ("limit_refuses", "b"), ("limit_refuses", "a"), ("disk_refuses", "")]
        );
        assert_eq!(troubles.end(Code::LimitRefuses, "c"), None);
        assert!(troubles.end(Code::LimitRefuses, "b").is_some());
        assert_eq!(troubles.list().len(), 3);
    }

    #[test]
    fn everything_is_bounded_and_what_found_no_place_is_counted() {
        let (mut troubles, now) = (Troubles::default(), Instant::now());
        let long = "é".repeat(2_000);
        for number in 0..1_000 {
            for code in Code::ALL {
                troubles.begin(*code, &format!("{number} {long}"), &long, now);
            }
        }
        assert_eq!(troubles.list().len(), Code::ALL.len() * SUBJECTS_PER_CODE_MAX);
        assert_eq!(troubles.unlisted(), (Code::ALL.len() * (1_000 - SUBJECTS_PER_CODE_MAX)) as u64);
        for it in troubles.list() {
            assert_eq!(it.subject.chars().count(), SUBJECT_CHARS_MAX);
            assert_eq!(it.sentence.chars().count(), SENTENCE_CHARS_MAX);
        }
        // A subject that was cut is found again by the whole of it, and its place is free then.
        assert!(troubles.end(Code::LimitRefuses, &format!("0 {long}")).is_some());
        assert!(troubles.begin(Code::LimitRefuses, "new", "x", now).is_some());
    }

    #[test]
    fn codes_are_stable_names_and_the_readme_has_them_all() {
        let readme = include_str!("../../README.md");
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len(), "one name for two codes");
        for code in Code::ALL {
            let name = code.name();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(readme.contains(&format!("| `{name}` |")), "`{name}` has no row in the README");
        }
    }
}
