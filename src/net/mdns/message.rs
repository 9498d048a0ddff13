//! Packets of multicast DNS: bytes to values and back.
//!
//! Reading takes what discovery needs (names, PTR, TXT) and steps over the data of every other record type, so that a
//! strange record of another program does not cost us the packet. Names come from hickory, which bounds them.

use hickory_proto::{
    op::{Message, MessageType, Metadata, OpCode, Query},
    rr::{DNSClass, Name, RData, Record, RecordType},
    serialize::binary::{BinDecodable, BinDecoder, DecodeError},
};
use thiserror::Error;

use super::limits::RECORDS_PER_PACKET_MAX;

/// The top bit of a class: in a record "flush what you had" (RFC 6762 §10.2), in a question "answer by unicast"
/// (§5.4).
const CLASS_TOP_BIT: u16 = 0x8000;
/// The class `IN`.
const CLASS_IN: u16 = 1;
/// The class `ANY`, in questions.
const CLASS_ANY: u16 = 255;

/// A packet as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub id: u16,
    pub is_response: bool,
    /// More known answers follow in another packet.
    pub is_truncated: bool,
    pub questions: Vec<Question>,
    pub answers: Vec<Found>,
    /// Only their names: a prober says here which names it wants.
    pub authorities: Vec<Name>,
    pub additionals: Vec<Found>,
}

/// A question as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub name: Name,
    pub kind: RecordType,
    pub wants_unicast: bool,
}

/// A record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub name: Name,
    pub ttl_s: u32,
    pub flushes: bool,
    pub data: Data,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Ptr(Name),
    /// The strings of a TXT record, one after another, each with its length before it.
    Txt(Vec<u8>),
    /// Anything else, not read.
    Other,
}

/// Why a packet was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Malformed {
    #[error("not a DNS packet, or cut off")]
    Bytes,
    #[error("more than {RECORDS_PER_PACKET_MAX} records and questions")]
    Records,
    /// RFC 6762 §18.3 and §18.11 have such packets ignored.
    #[error("another operation than a query, or an error code")]
    Operation,
}

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Malformed::Bytes
    }
}

/// Reads a packet.
pub(super) fn decode(bytes: &[u8]) -> Result<Packet, Malformed> {
    let mut decoder = BinDecoder::new(bytes);
    let id = u16_of(&mut decoder)?;
    let flags = u16_of(&mut decoder)?;
    let is_response = flags & 0x8000 != 0;
    if flags & 0x7800 != 0 || flags & 0x000f != 0 {
        return Err(Malformed::Operation);
    }
    let mut counts = [0usize; 4];
    for count in &mut counts {
        *count = u16_of(&mut decoder)?.into();
    }
    if counts.iter().sum::<usize>() > RECORDS_PER_PACKET_MAX {
        return Err(Malformed::Records);
    }
    let [questions, answers, authorities, additionals] = counts;
    Ok(Packet {
        id,
        is_response,
        is_truncated: flags & 0x0200 != 0,
        questions: read_all(questions, || question(&mut decoder))?,
        answers: read_all(answers, || record(&mut decoder))?,
        authorities: read_all(authorities, || record(&mut decoder).map(|it| it.map(|it| it.name)))?,
        additionals: read_all(additionals, || record(&mut decoder))?,
    })
}

fn read_all<T>(count: usize, mut read: impl FnMut() -> Result<Option<T>, Malformed>) -> Result<Vec<T>, Malformed> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.extend(read()?);
    }
    Ok(all)
}

/// `None`: a question of another class.
fn question(decoder: &mut BinDecoder<'_>) -> Result<Option<Question>, Malformed> {
    let name = Name::read(decoder)?;
    let kind = RecordType::from(u16_of(decoder)?);
    let class = u16_of(decoder)?;
    let is_ours = matches!(class & !CLASS_TOP_BIT, CLASS_IN | CLASS_ANY);
    Ok(is_ours.then_some(Question { name, kind, wants_unicast: class & CLASS_TOP_BIT != 0 }))
}

/// `None`: a record of another class.
fn record(decoder: &mut BinDecoder<'_>) -> Result<Option<Found>, Malformed> {
    let name = Name::read(decoder)?;
    let kind = RecordType::from(u16_of(decoder)?);
    let class = u16_of(decoder)?;
    let ttl_s = decoder.read_u32()?.unverified();
    let length = usize::from(u16_of(decoder)?);
    let start = decoder.index();
    // A name inside the data may point back into the packet, so it is read in place; a slice then steps over the rest.
    let is_ours = class & !CLASS_TOP_BIT == CLASS_IN;
    let data = match kind {
        RecordType::PTR if is_ours => Data::Ptr(Name::read(decoder)?),
        RecordType::TXT if is_ours => Data::Txt(decoder.read_slice(length)?.unverified().to_vec()),
        _ => Data::Other,
    };
    let used = decoder.index().checked_sub(start).ok_or(Malformed::Bytes)?;
    decoder.read_slice(length.checked_sub(used).ok_or(Malformed::Bytes)?)?;
    Ok(is_ours.then_some(Found { name, ttl_s, flushes: class & CLASS_TOP_BIT != 0, data }))
}

fn u16_of(decoder: &mut BinDecoder<'_>) -> Result<u16, Malformed> {
    Ok(decoder.read_u16()?.unverified())
}

/// The strings of a TXT record's data; what does not fit its own lengths ends them.
pub(super) fn strings(mut txt: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&length, rest) = txt.split_first()?;
        let (string, rest) = rest.split_at_checked(length.into())?;
        txt = rest;
        Some(string)
    })
}

/// A query with one question. Several would be read by some and not by others: js-libp2p reads only the first.
pub(super) fn query(name: &Name, kind: RecordType) -> Message {
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name.clone(), kind));
    message
}

/// An empty response.
pub(super) fn response() -> Message {
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.metadata = response_flags(message.metadata);
    message
}

fn response_flags(mut metadata: Metadata) -> Metadata {
    metadata.authoritative = true;
    metadata.recursion_desired = false;
    metadata
}

/// A record to send. `flushes` is for records that only we have (RFC 6762 §10.2).
pub(super) fn own_record(name: &Name, ttl_s: u32, flushes: bool, data: RData) -> Record {
    let mut record = Record::from_rdata(name.clone(), ttl_s, data);
    if flushes {
        record.dns_class = DNSClass::Unknown(CLASS_TOP_BIT | CLASS_IN);
    }
    record
}

/// Writes a packet. Empty if it cannot be written, which the checked names rule out.
pub(super) fn encode(message: &Message) -> Vec<u8> {
    message.to_vec().unwrap_or_default()
}

#[cfg(test)]
mod tests;
