//! What a node of gossip may hold, how its meshes are made, and its timing.

/// Peers connected at once, on any board: [`PeerIndex`](super::peer::PeerIndex) is below. Source: the boards' schema,
/// connections_max.
pub const PEERS_MAX: usize = 512;
/// Topics one peer may be in. Source: libp2p-gossipsub's handler keeps 100; a board keeps fewer.
pub const PEER_TOPICS_MAX: usize = 32;
/// Messages that wait for a verdict at once. The driver asks for it at once; a burst from all peers fits.
pub const PENDING_MAX: usize = 128;
/// Ids asked for that have not come yet, of all peers together. Cost: some 150 bytes each. Guess: a few offers from
/// each of a full house.
pub const ASKED_MAX: usize = 512;
/// One peer may be asked for one part in so many of them: whoever offers what it has not must leave room for others.
pub const ASKED_SHARE: usize = 4;
/// Messages a peer does not want because it has them, remembered although they have not come here. Guess: a burst.
pub const UNWANTED_MAX: usize = 128;
/// Peers whose offences are remembered after they left. Guess: more than can connect in the time.
pub const OFFENDERS_MAX: usize = 256;
/// Back-offs remembered of peers that left, or of topics that we left. Guess: a full house in a few topics.
pub const BACKOFFS_MAX: usize = 256;
/// Outputs that wait for the driver, which takes them after each input. A heartbeat's for a full house in every room fit.
pub const OUTPUTS_MAX: usize = 16_384;

/// Milliseconds between heartbeats while one is needed. Source: gossipsub specification.
pub const BEAT_MS: u64 = 1_000;
/// Milliseconds to which a heartbeat is put off that only repairs what waits. Guess, a tenth of the pace: a quiet board's
/// wake-ups cost energy.
pub const REPAIR_MS: u64 = 10_000;
/// Heartbeats in which a message is offered to whoever may lack it. Source: gossipsub specification, history_gossip.
pub const OFFERS: usize = 3;
/// Milliseconds after which a message is offered to nobody any more, and a newcomer is not told of it. Guess: a minute
/// is what somebody missed who changed the network; catch-up hands over the rest.
pub const OFFER_MS: u64 = 60_000;
/// Milliseconds of what was sent last that a connection which broke may have lost. Source: the time a connection has
/// to be established, twice, and a dead link's until it is noticed.
pub const LOST_MS: u64 = 30_000;
/// Milliseconds for which a topic that we left is named as left wherever we say which we are in. Source: the time until a
/// dead link is noticed, twice: whoever was behind it has not heard that we left.
pub const LEFT_MS: u64 = 120_000;
/// Ids in one IHAVE, so that it fits a remote's limit for control messages. Source: libp2p-gossipsub, 16 KiB.
pub const OFFER_IDS_MAX: usize = 256;
/// Milliseconds until somebody else is asked for a message. Source: gossipsub specification, iwant_followup_time.
pub const FOLLOW_UP_MS: u64 = 3_000;
/// Times a message is asked for, also of one peer alone. Source: gossipsub specification, gossip_retransmission.
pub const ASKS_MAX: u8 = 3;
/// Bytes of a message from which on those in the mesh are told not to send it too. Source: go-libp2p-pubsub.
pub const UNWANTED_BYTES_MIN: usize = 1_024;
/// Milliseconds for which a peer that left our mesh is not asked into it. Source: gossipsub specification.
pub const BACKOFF_MS: u64 = 60_000;
/// The same where we left the topic. Source: gossipsub specification, unsubscribe_backoff.
pub const LEAVE_BACKOFF_MS: u64 = 10_000;
/// The longest back-off that a remote may ask for, in milliseconds. Source: twice the specification's.
pub const BACKOFF_MS_MAX: u64 = 120_000;
/// Peers recommended to one that is turned away. Guess: half of go-libp2p-pubsub's.
pub const PX_MAX: usize = 8;
/// Milliseconds in which half of a peer's merit in a topic is forgotten. Guess: a conversation has pauses of minutes.
pub const MERIT_HALF_MS: u64 = 600_000;
/// Messages a peer in a mesh may be sent without a sign of life in the topic; the next ones that we hand on it is offered
/// instead.
pub const IDLE_AFTER: u8 = 8;
/// Milliseconds in which one of these counts, however many there are: in a flood nobody can answer sooner. Guess.
pub const IDLE_STEP_MS: u64 = 250;
/// Offers it may leave unanswered after that before it loses its place. Guess: one may be lost, one crosses.
pub const IDLE_OFFERS: u8 = 3;
/// Milliseconds in which one of these counts. Guess: a round trip over a bad link.
pub const IDLE_OFFER_MS: u64 = 1_000;
/// Messages in a row that came from a peer after we had sent them to it: as one of the two ways is too many, the next
/// long ones are offered. Guess: fewer may be chance.
pub const REDUNDANT_AFTER: u8 = 4;
/// Offers between heartbeats made to one peer a second. Source: half of the IHAVEs that go and rust take of a peer
/// between two heartbeats.
pub const SINGLE_OFFERS_PER_SECOND_MAX: u32 = 5;
/// Milliseconds for which two who say the same are heard once, where that makes it the same message. Guess.
pub const SAME_MS: u64 = 3_000;
/// Ids remembered for that. Guess: some rooms of lively people.
pub const SAME_MAX: usize = 256;

/// Messages of all peers taken at once, and in a tenth of a second: twice what a fast machine can verify.
pub const TAKEN_MAX: u32 = 4_096;
/// GRAFTs and PRUNEs taken of one peer at once; later one in [`MESH_CHANGE_MS`]. A peer in all our rooms needs one a room.
pub const MESH_CHANGES_MAX: u32 = 48;
/// Milliseconds in which a peer may change its place in a mesh once more. Source: a tenth of the specification's back-off.
pub const MESH_CHANGE_MS: u64 = 6_000;
/// The same for all peers together, of which each may be many.
pub const MESH_CHANGES_ALL_MAX: u32 = 512;
/// Milliseconds in which one more may come of anybody. Guess: four a second.
pub const MESH_CHANGE_ALL_MS: u64 = 250;
/// Subscriptions taken of one peer at once; later one in [`SUBSCRIPTION_MS`]. Guess: all it may have, and again.
pub const SUBSCRIPTIONS_MAX: u32 = 2 * PEER_TOPICS_MAX as u32;
/// Milliseconds in which one more may come. Guess: somebody at a keyboard.
pub const SUBSCRIPTION_MS: u64 = 500;
/// Ids a peer may offer at once, ask for, and say that it does not want; later one in [`IDS_MS`], each. More than one
/// control message of ours or go's holds in a room of a hundred lines a second.
pub const IDS_MAX: u32 = 512;
/// Milliseconds in which one more id may come. Guess: a hundred a second.
pub const IDS_MS: u64 = 10;
/// Messages a peer may ask for again that were sent to it already; later one in [`REPEAT_MS`].
pub const REPEATS_MAX: u32 = 64;
/// Milliseconds in which one more may be asked for again. Guess: a lossy link's, ten times over.
pub const REPEAT_MS: u64 = 500;
/// Streams a peer may open one after the other so that it is told all our topics on each at once; later one in
/// [`GREETING_MS`], and else at the next repair. Guess: more than anybody opens without being broken.
pub const GREETINGS_MAX: u32 = 8;
/// Milliseconds in which one more may come. Guess: a stream that breaks each time.
pub const GREETING_MS: u64 = 5_000;

/// Offences from which on nothing of a peer is heard and its connections are to be closed, in thousandths: a message
/// that is none counts a thousand.
pub const BAN_AT: u32 = 4_000;
/// Below this it may come back, in thousandths.
pub const FORGIVEN_BELOW: u32 = 1_000;
/// No more than that is counted, in thousandths: what is never forgiven is no punishment.
pub const OFFENCES_MAX: u32 = 2 * BAN_AT;
/// Milliseconds in which half of it is forgotten. Source: what gossipsub's score did, a tenth in ten seconds.
pub const OFFENCE_HALF_MS: u64 = 65_000;
/// What a message that is none counts, in thousandths.
pub const BAD_MESSAGE: u32 = 1_000;
/// What a GRAFT counts that comes too soon, in thousandths.
pub const GRAFT_TOO_SOON: u32 = 100;

const _: () = assert!(PEERS_MAX <= u16::MAX as usize);
const _: () = assert!(REPAIR_MS.is_multiple_of(BEAT_MS));
const _: () = assert!(LEFT_MS > LOST_MS);
const _: () = assert!(OFFER_MS > OFFERS as u64 * BEAT_MS);
const _: () = assert!(ASKED_MAX / ASKED_SHARE >= OFFER_IDS_MAX / 2);

/// How many peers a message is sent to at once, and how many are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mesh {
    /// Up to so many peers in a room all of them are in its mesh.
    pub everybody: usize,
    /// Peers in a mesh below which more are asked in (D_lo).
    pub low: usize,
    /// Peers in it after that (D).
    pub target: usize,
    /// Peers above which nobody is taken in (D_hi).
    pub high: usize,
    /// Of these so many that we dialled (D_out).
    pub outbound_min: usize,
    /// Peers beside the mesh that are told what there is at a heartbeat: so many, or one in four if that is more.
    pub offers_to: usize,
    /// Whether our own lines go to everybody in the room and not only to the mesh.
    pub is_flooding: bool,
    /// Whether places are earned: those who are idle lose theirs, and who sends what we sent is offered it instead.
    pub is_earned: bool,
}

impl Mesh {
    /// For rooms of boards: a hub takes as many leaves as it may be connected to, and tells everybody else.
    pub const fn of_board(peers_max: usize) -> Self {
        Self {
            everybody: 12,
            low: 6,
            target: 8,
            high: if peers_max < 12 { 12 } else { peers_max },
            outbound_min: 2,
            offers_to: usize::MAX,
            is_flooding: true,
            is_earned: true,
        }
    }

    /// What go-libp2p-pubsub and libp2p-gossipsub do by default.
    pub const PUBLISHED: Self = Self {
        everybody: 0,
        low: 5,
        target: 6,
        high: 12,
        outbound_min: 2,
        offers_to: 6,
        is_flooding: true,
        is_earned: false,
    };
}

/// Local capacities and what is random.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Topics joined at once.
    pub topics_max: usize,
    /// Whole messages kept to be offered and handed out, or waiting for a verdict.
    pub store_messages_max: usize,
    /// Bytes of these.
    pub store_bytes_max: usize,
    /// Message ids remembered. Cost: some 24 bytes each.
    pub seen_max: usize,
    /// How meshes are made.
    pub mesh: Mesh,
    /// Random: nobody else may know which ids look the same here, or who is chosen.
    pub seed: [u64; 2],
}
