//! The parts of an RPC, in the order in which they lie.

use super::bounds::{CONTROLS_MAX, MESSAGES_MAX, RPC_BYTES_MAX, SUBSCRIPTIONS_MAX, TOPIC_BYTES_MAX};
use super::error::{DecodeError, EncodeError, Piece};
use super::field::{Fields, Value, Writer, field_len, varint_len};
use super::list::List;
use super::message::Message;

// Fields of an RPC.
const SUBSCRIPTION: u32 = 1;
const MESSAGE: u32 = 2;
const CONTROL: u32 = 3;
// Fields of a subscription.
const IS_IN: u32 = 1;
const SUBSCRIBED_TOPIC: u32 = 2;
// Sorts of control messages, and their fields.
const IHAVE: u32 = 1;
const IWANT: u32 = 2;
const GRAFT: u32 = 3;
const PRUNE: u32 = 4;
const IDONTWANT: u32 = 5;
const TOPIC: u32 = 1;
const IHAVE_IDS: u32 = 2;
const IDS: u32 = 1;
const PRUNE_PEERS: u32 = 2;
const PRUNE_BACKOFF: u32 = 3;

/// One part of an RPC. A topic that is not there is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// The sender is in a topic, or is in it no more.
    Subscription {
        /// Whether it is in it.
        is_in: bool,
        /// The topic.
        topic: &'a [u8],
    },
    /// A message. Whether it says all that it must ([`Message::strict`]) and is signed well is not looked at here.
    Message(Message<'a>),
    /// The sender offers messages.
    IHave {
        /// Their topic.
        topic: &'a [u8],
        /// Their ids.
        ids: List<'a>,
    },
    /// The sender asks for messages.
    IWant {
        /// Their ids.
        ids: List<'a>,
    },
    /// The sender has taken us into its mesh.
    Graft {
        /// Of this topic.
        topic: &'a [u8],
    },
    /// We are in the sender's mesh no more.
    Prune {
        /// Of this topic.
        topic: &'a [u8],
        /// Peers of this topic that it recommends.
        peers: List<'a>,
        /// For so many seconds it does not want to be asked into ours.
        backoff_s: Option<u64>,
    },
    /// The sender has messages already.
    IDontWant {
        /// Their ids.
        ids: List<'a>,
    },
}

/// The parts of an RPC. A part that is over a bound is an error and the next one follows; after any other error, and
/// after the first part that is too many, nothing does.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    rpc: Fields<'a>,
    control: Fields<'a>,
    messages: usize,
    subscriptions: usize,
    controls: usize,
    /// The bytes were more than an RPC has.
    is_too_long: bool,
}

impl<'a> Parts<'a> {
    /// The parts of one RPC, without the length that stands before it on a stream.
    pub const fn new(rpc: &'a [u8]) -> Self {
        let is_too_long = rpc.len() > RPC_BYTES_MAX;
        let rpc = Fields::new(if is_too_long { &[] } else { rpc });
        Self { rpc, control: Fields::new(&[]), messages: 0, subscriptions: 0, controls: 0, is_too_long }
    }

    fn step(&mut self) -> Result<Option<Part<'a>>, DecodeError> {
        if core::mem::take(&mut self.is_too_long) {
            return Err(DecodeError::TooLong(Piece::Rpc));
        }
        loop {
            if let Some(field) = self.control.next() {
                let (sort, value) = field?;
                if let IHAVE..=IDONTWANT = sort {
                    count(&mut self.controls, CONTROLS_MAX, Piece::Control)?;
                    return control(sort, value).map(Some);
                }
                continue;
            }
            let Some(field) = self.rpc.next() else { return Ok(None) };
            match field? {
                (SUBSCRIPTION, value) => {
                    count(&mut self.subscriptions, SUBSCRIPTIONS_MAX, Piece::Subscription)?;
                    return subscription(value.bytes()?).map(Some);
                }
                (MESSAGE, value) => {
                    count(&mut self.messages, MESSAGES_MAX, Piece::Message)?;
                    return Message::decode(value.bytes()?).map(|message| Some(Part::Message(message)));
                }
                (CONTROL, value) => self.control = Fields::new(value.bytes()?),
                _ => {}
            }
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        // Too long is one part: the next one can be read.
        if step.as_ref().is_err_and(|error| !matches!(error, DecodeError::TooLong(_))) {
            (self.rpc, self.control) = (Fields::new(&[]), Fields::new(&[]));
        }
        step.transpose()
    }
}

fn count(counter: &mut usize, max: usize, piece: Piece) -> Result<(), DecodeError> {
    *counter += 1;
    if *counter > max { Err(DecodeError::TooMany(piece)) } else { Ok(()) }
}

fn bounded_topic(topic: &[u8]) -> Result<&[u8], DecodeError> {
    if topic.len() > TOPIC_BYTES_MAX { Err(DecodeError::TooLong(Piece::Topic)) } else { Ok(topic) }
}

fn subscription(bytes: &[u8]) -> Result<Part<'_>, DecodeError> {
    let (mut is_in, mut topic): (bool, &[u8]) = (false, &[]);
    for field in Fields::new(bytes) {
        match field? {
            (IS_IN, value) => is_in = value.number()? != 0,
            (SUBSCRIBED_TOPIC, value) => topic = value.bytes()?,
            _ => {}
        }
    }
    Ok(Part::Subscription { is_in, topic: bounded_topic(topic)? })
}

fn control<'a>(sort: u32, value: Value<'a>) -> Result<Part<'a>, DecodeError> {
    let body = value.bytes()?;
    if sort == IWANT || sort == IDONTWANT {
        let ids = List::read_ids(body, IDS)?;
        return Ok(if sort == IWANT { Part::IWant { ids } } else { Part::IDontWant { ids } });
    }
    let (mut topic, mut backoff_s): (&[u8], _) = (&[], None);
    for field in Fields::new(body) {
        match field? {
            (TOPIC, value) => topic = value.bytes()?,
            (PRUNE_BACKOFF, value) if sort == PRUNE => backoff_s = Some(value.number()?),
            _ => {}
        }
    }
    let topic = bounded_topic(topic)?;
    Ok(match sort {
        IHAVE => Part::IHave { topic, ids: List::read_ids(body, IHAVE_IDS)? },
        GRAFT => Part::Graft { topic },
        _ => Part::Prune { topic, peers: List::read_peers(body, PRUNE_PEERS)?, backoff_s },
    })
}

impl<'a> Part<'a> {
    /// Bytes of an RPC that holds this part alone. Parts written one behind the other are an RPC of all of them.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Subscription { .. } => field_len(self.body_len()),
            Self::Message(message) => field_len(message.encoded_len()),
            _ => field_len(field_len(self.body_len())),
        }
    }

    /// Writes the part to the start of `out` as an RPC. Returns its length.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let length = out.len();
        let mut writer = Writer::new(out);
        self.write(&mut writer)?;
        Ok(length - writer.left())
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let body = self.body_len();
        let sort = match self {
            Self::Subscription { is_in, topic } => {
                writer.head(SUBSCRIPTION, body)?;
                writer.number(IS_IN, u64::from(*is_in))?;
                return write_topic(SUBSCRIBED_TOPIC, topic, writer);
            }
            Self::Message(message) => {
                if let Some(piece) = message.over_bound() {
                    return Err(EncodeError::TooLong(piece));
                }
                writer.head(MESSAGE, message.encoded_len())?;
                return message.write(writer);
            }
            Self::IHave { .. } => IHAVE,
            Self::IWant { .. } => IWANT,
            Self::Graft { .. } => GRAFT,
            Self::Prune { .. } => PRUNE,
            Self::IDontWant { .. } => IDONTWANT,
        };
        writer.head(CONTROL, field_len(body))?;
        writer.head(sort, body)?;
        match self {
            Self::IHave { topic, ids } => {
                write_topic(TOPIC, topic, writer)?;
                ids.write(IHAVE_IDS, writer)
            }
            Self::IWant { ids } | Self::IDontWant { ids } => ids.write(IDS, writer),
            Self::Graft { topic } => write_topic(TOPIC, topic, writer),
            Self::Prune { topic, peers, backoff_s } => {
                write_topic(TOPIC, topic, writer)?;
                peers.write(PRUNE_PEERS, writer)?;
                backoff_s.map_or(Ok(()), |seconds| writer.number(PRUNE_BACKOFF, seconds))
            }
            _ => Ok(()),
        }
    }

    /// Bytes of its own fields.
    fn body_len(&self) -> usize {
        match self {
            Self::Subscription { topic, .. } => 2 + field_len(topic.len()),
            Self::Message(message) => message.encoded_len(),
            Self::IHave { topic, ids } => field_len(topic.len()) + ids.encoded_len(),
            Self::IWant { ids } | Self::IDontWant { ids } => ids.encoded_len(),
            Self::Graft { topic } => field_len(topic.len()),
            Self::Prune { topic, peers, backoff_s } => {
                let backoff = backoff_s.map_or(0, |seconds| 1 + varint_len(seconds));
                field_len(topic.len()) + peers.encoded_len() + backoff
            }
        }
    }
}

fn write_topic(field: u32, topic: &[u8], writer: &mut Writer<'_>) -> Result<(), EncodeError> {
    if topic.len() > TOPIC_BYTES_MAX {
        return Err(EncodeError::TooLong(Piece::Topic));
    }
    writer.bytes(field, topic)
}

/// Bytes of the RPC of these parts as it stands on a stream: its length first.
pub fn frame_len(parts: &[Part<'_>]) -> usize {
    let length: usize = parts.iter().map(Part::encoded_len).sum();
    varint_len(length as u64) + length
}

/// Writes the RPC of these parts as it stands on a stream to the start of `out`. Returns its length.
pub fn encode_frame(parts: &[Part<'_>], out: &mut [u8]) -> Result<usize, EncodeError> {
    let length: usize = parts.iter().map(Part::encoded_len).sum();
    if length > RPC_BYTES_MAX {
        return Err(EncodeError::TooLong(Piece::Rpc));
    }
    let space = out.len();
    let mut writer = Writer::new(out);
    writer.varint(length as u64)?;
    for part in parts {
        part.write(&mut writer)?;
    }
    Ok(space - writer.left())
}
