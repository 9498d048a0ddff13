//! Three peers that keep a ledger together: they exchange its transactions and blocks as records in a room.
//!
//! ```text
//! cargo run --example ledger
//! ```
//!
//! Each peer signs a few payments. Peers take turns in sealing: the block at height h is made by peer h modulo 3, as
//! soon as it knows enough payments that are in no block yet. A block names the hash of the one before it, so whoever
//! holds the last hash, the head, holds the whole chain. At the end all three hold the same head.

use libp2p::{
    Multiaddr, PeerId,
    identity::{Keypair, PublicKey},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, error::Error, sync::Arc};
use stonechat::{
    base::board,
    net::executor::Executor,
    node::{
        self, Config, Handle, Role, Subscription,
        command::{Answer, Command},
        event::{Event, RecordEvent},
    },
};

const NAMES: [&str; 3] = ["ann", "bob", "cid"];
const ROOM: &str = "ledger";
const PAYMENTS_EACH: u64 = 4;
const PAYMENTS_PER_BLOCK: usize = 3;
const HEIGHT_AT_END: usize = NAMES.len() * PAYMENTS_EACH as usize / PAYMENTS_PER_BLOCK;
const START_BALANCE: i64 = 100;

type Hash = [u8; 32];
type Failure = Box<dyn Error + Send + Sync>;

/// The record `ledger/tx`: somebody pays somebody.
#[derive(Serialize, Deserialize, Clone)]
struct Payment {
    number: u64,
    payer: Vec<u8>,
    payee: Vec<u8>,
    amount: i64,
    /// By the payer, over the fields above. A message is signed by whoever publishes it; this one tells in any block.
    signature: Vec<u8>,
}

/// The record `ledger/block`: payments that count from now on, by their hashes.
#[derive(Serialize, Deserialize)]
struct Block {
    height: usize,
    previous: Hash,
    payments: Vec<Hash>,
}

impl Payment {
    fn signed(number: u64, payer: &Keypair, payee: PeerId, amount: i64) -> Result<Payment, Failure> {
        let (payer_id, payee) = (payer.public().encode_protobuf(), payee.to_bytes());
        let mut payment = Payment { number, payer: payer_id, payee, amount, signature: Vec::new() };
        payment.signature = payer.sign(&postcard::to_allocvec(&payment)?)?;
        Ok(payment)
    }

    fn is_signed(&self) -> bool {
        let unsigned = Payment { signature: Vec::new(), ..self.clone() };
        let (Ok(payer), Ok(bytes)) = (PublicKey::try_decode_protobuf(&self.payer), postcard::to_allocvec(&unsigned))
        else {
            return false;
        };
        self.amount > 0 && payer.verify(&bytes, &self.signature)
    }

    fn payer(&self) -> Option<PeerId> {
        Some(PublicKey::try_decode_protobuf(&self.payer).ok()?.to_peer_id())
    }
}

/// One peer's view of the ledger, and its way to the others.
struct Ledger {
    name: &'static str,
    me: PeerId,
    members: Vec<PeerId>,
    handle: Handle,
    /// Payments that are valid and in no block yet.
    open: BTreeMap<Hash, Payment>,
    /// Blocks that came before the block or a payment they need.
    early: Vec<(PeerId, Hash, Block)>,
    head: Hash,
    height: usize,
    /// The height for which this peer has published a block.
    sealed: Option<usize>,
    balances: BTreeMap<Vec<u8>, i64>,
}

impl Ledger {
    async fn publish(&self, kind: &str, record: &impl Serialize) -> Result<(), Failure> {
        let data = hex(&postcard::to_allocvec(record)?);
        self.handle.request(Command::Record { room: None, kind: kind.into(), data }).await?;
        Ok(())
    }

    /// Everybody's records come this way, our own too.
    async fn on_record(&mut self, record: &RecordEvent) -> Result<(), Failure> {
        let author: PeerId = record.from.parse()?;
        let Some(bytes) = unhex(&record.data) else { return Ok(()) };
        let hash: Hash = Sha256::digest(&bytes).into();
        match record.kind.as_str() {
            "ledger/tx" => {
                if let Some(payment) = decode::<Payment>(&bytes).filter(Payment::is_signed) {
                    self.open.insert(hash, payment);
                }
            }
            "ledger/block" => {
                if let Some(block) = decode(&bytes) {
                    self.early.push((author, hash, block));
                }
            }
            _ => {}
        }
        while let Some(at) = self.early.iter().position(|(author, _, block)| self.fits(*author, block)) {
            let (_, hash, block) = self.early.swap_remove(at);
            self.append(hash, &block);
        }
        self.seal().await
    }

    /// Whether a block continues our chain: made by the one whose turn it is, from payments we know.
    fn fits(&self, author: PeerId, block: &Block) -> bool {
        block.height == self.height
            && block.previous == self.head
            && author == self.members[self.height % self.members.len()]
            && block.payments.len() == PAYMENTS_PER_BLOCK
            && block.payments.iter().all(|hash| self.open.contains_key(hash))
    }

    fn append(&mut self, hash: Hash, block: &Block) {
        for payment in block.payments.iter().filter_map(|hash| self.open.remove(hash)) {
            let Some(payer) = payment.payer() else { continue };
            *self.balances.entry(payer.to_bytes()).or_insert(START_BALANCE) -= payment.amount;
            *self.balances.entry(payment.payee).or_insert(START_BALANCE) += payment.amount;
        }
        println!("{}: block {} is {} on {}", self.name, block.height, short(&hash), short(&block.previous));
        self.head = hash;
        self.height += 1;
    }

    /// Makes the next block if it is our turn and there is enough to seal.
    async fn seal(&mut self) -> Result<(), Failure> {
        let ours = self.members[self.height % self.members.len()] == self.me && self.sealed != Some(self.height);
        if !ours || self.open.len() < PAYMENTS_PER_BLOCK {
            return Ok(());
        }
        let payments = self.open.keys().take(PAYMENTS_PER_BLOCK).copied().collect();
        let block = Block { height: self.height, previous: self.head, payments };
        self.sealed = Some(self.height);
        println!("{}: seals {PAYMENTS_PER_BLOCK} payments at height {}", self.name, self.height);
        self.publish("ledger/block", &block).await
    }
}

/// One peer from its first payment to the last block; gives its head and balances.
async fn keep(mut ledger: Ledger, key: Keypair, mut events: Subscription) -> Result<Ledger, Failure> {
    let mut present = 0;
    while present < ledger.members.len() - 1 {
        match &*events.next().await.ok_or("the peer stopped")? {
            Event::Joined { .. } => present += 1,
            // Somebody saw all others sooner.
            Event::Record(record) if record.room == ROOM => ledger.on_record(record).await?,
            _ => {}
        }
    }
    let at = ledger.members.iter().position(|member| *member == ledger.me).ok_or("not a member")?;
    for number in 0..PAYMENTS_EACH {
        let payee = (at + 1 + number as usize % 2) % ledger.members.len();
        let amount = 1 + at as i64 + 3 * number as i64;
        println!("{}: pays {} {amount}", ledger.name, NAMES[payee]);
        let payment = Payment::signed(number, &key, ledger.members[payee], amount)?;
        ledger.publish("ledger/tx", &payment).await?;
    }
    while ledger.height < HEIGHT_AT_END {
        let event: Arc<Event> = events.next().await.ok_or("the peer stopped")?;
        match &*event {
            Event::Record(record) if record.room == ROOM => ledger.on_record(record).await?,
            Event::Missed { count } => return Err(format!("{} missed {count} events", ledger.name).into()),
            _ => {}
        }
    }
    Ok(ledger)
}

fn main() -> Result<(), Failure> {
    let executor = Executor::new();
    executor.block_on(run(&executor))
}

async fn run(executor: &Executor) -> Result<(), Failure> {
    let keys = NAMES.map(|_| Keypair::generate_ed25519());
    let members: Vec<PeerId> = keys.iter().map(|key| key.public().to_peer_id()).collect();
    let (mut addresses, mut tasks) = (Vec::new(), Vec::new());
    for (name, key) in NAMES.into_iter().zip(keys) {
        let (handle, running) = node::start(config(name, &key, &addresses)?, executor)?;
        let events = handle.subscribe();
        executor.spawn("node", running).detach();
        addresses.push(address(&handle).await?);
        let me = key.public().to_peer_id();
        let (open, early, balances) = Default::default();
        let members = members.clone();
        let ledger =
            Ledger { name, me, members, handle, open, early, head: [0; 32], height: 0, sealed: None, balances };
        tasks.push(executor.spawn("ledger", keep(ledger, key, events)));
    }
    let mut ledgers = Vec::new();
    for task in tasks {
        ledgers.push(task.await?);
    }
    for ledger in &ledgers {
        let balance = |member: &PeerId| ledger.balances.get(&member.to_bytes()).copied().unwrap_or(START_BALANCE);
        let balances: Vec<String> =
            NAMES.iter().zip(&members).map(|(name, member)| format!("{name} {}", balance(member))).collect();
        println!("{}: head {} at height {}; {}", ledger.name, short(&ledger.head), ledger.height, balances.join(", "));
        ledger.handle.shutdown().await;
    }
    if ledgers.iter().any(|ledger| ledger.head != ledgers[0].head) {
        return Err("the heads differ".into());
    }
    println!("all {} hold the same head", ledgers.len());
    Ok(())
}

fn config(name: &str, key: &Keypair, bootstrap: &[Multiaddr]) -> Result<Config, Failure> {
    Ok(Config {
        keypair: key.clone(),
        board: board::find(board::DEFAULT).ok_or("no board")?,
        role: Role::Peer,
        nick: name.into(),
        rooms: vec![ROOM.into()],
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse()?],
        bootstrap: bootstrap.to_vec(),
        mdns: false,
        dht_protocol: "/ledger/kad/1.0.0".into(),
        clock: Default::default(),
        remembered: None,
    })
}

/// The first address a node listens on. It is known as soon as its loop has run.
async fn address(handle: &Handle) -> Result<Multiaddr, Failure> {
    loop {
        match handle.request(Command::Status { tasks: false }).await? {
            Answer::Status(status) => match status.listening.first() {
                Some(address) => return Ok(address.parse()?),
                None => smol::future::yield_now().await,
            },
            _ => return Err("not a status".into()),
        }
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn short(hash: &Hash) -> String {
    hex(&hash[..4])
}
