//! The behaviour inside real swarms, over loopback; needs no privilege.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    error::Error,
    task::Poll,
    time::Duration,
};

use futures::{StreamExt, future};
use libp2p::{
    Multiaddr, PeerId, identity,
    swarm::{self, NetworkBehaviour, Swarm, SwarmEvent, dial_opts::DialOpts},
};
use smol::Timer;
use stonechat::net::{
    self,
    executor::Executor,
    mdns::{Behaviour, Config, Event},
    tcp, yamux,
};

use super::lan::PATIENCE;

fn start(executor: &Executor, service: &str) -> Result<Swarm<Behaviour>, Box<dyn Error>> {
    let key = identity::Keypair::generate_ed25519();
    let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default())?;
    let id = key.public().to_peer_id();
    let mdns = Behaviour::new(Config { services: vec![service.into()], ..Config::default() }, id)?;
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(Duration::from_secs(60));
    let mut swarm = Swarm::new(transport, mdns, id, config);
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    Ok(swarm)
}

/// Runs both until neither has anything left to wait for; `done` strikes off what an event of one of them brought.
async fn run(
    swarms: &mut [Swarm<Behaviour>; 2],
    mut waits: usize,
    mut done: impl FnMut(usize, SwarmEvent<Event>) -> bool,
) {
    let [one, other] = swarms;
    while waits > 0 {
        let (at, event) = match future::select(one.select_next_some(), other.select_next_some()).await {
            future::Either::Left((event, _)) => (0, event),
            future::Either::Right((event, _)) => (1, event),
        };
        waits -= usize::from(done(at, event));
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    match future::select(std::pin::pin!(work), Timer::after(PATIENCE)).await {
        future::Either::Left((done, _)) => done,
        future::Either::Right(_) => panic!("not within {PATIENCE:?}"),
    }
}

#[test]
fn a_found_peer_is_dialled_by_its_id_alone() {
    let executor = Executor::new();
    // A name of this run's own: other tests and programs use the same network.
    let service = format!("_t{}._udp", std::process::id());
    let mut swarms = [start(&executor, &service).unwrap(), start(&executor, &service).unwrap()];
    let ids = [0, 1].map(|at: usize| *swarms[at].local_peer_id());
    let names = |list: &[(PeerId, Multiaddr)], at: usize| list.iter().any(|(peer, _)| *peer == ids[1 - at]);
    executor.block_on(within(async {
        run(
            &mut swarms,
            2,
            |at, event| matches!(event, SwarmEvent::Behaviour(Event::Discovered(found)) if names(&found, at)),
        )
        .await;
        assert_eq!(swarms[0].behaviour().peers(), [ids[1]]);
        swarms[0].dial(DialOpts::peer_id(ids[1]).build()).unwrap();
        run(&mut swarms, 2, |_, event| match event {
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            event => matches!(event, SwarmEvent::ConnectionEstablished { .. }),
        })
        .await;
        // Leaving ends the record, not the connection.
        swarms[1].behaviour_mut().leave().await;
        run(&mut swarms, 1, |at, event| match event {
            SwarmEvent::ConnectionClosed { .. } => panic!("the connection was closed"),
            event => matches!(event, SwarmEvent::Behaviour(Event::Expired(gone)) if at == 0 && names(&gone, at)),
        })
        .await;
        assert!(swarms[0].is_connected(&ids[1]) && swarms[0].behaviour().peers().is_empty());
    }));
}

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does the work; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends has no counter any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: handed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: handed on as it came.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A busy swarm is polled thousands of times a second. Where nothing has come, a poll neither reads nor allocates.
#[test]
fn a_poll_with_nothing_to_read_reads_nothing() {
    let executor = Executor::new();
    let mut swarm = start(&executor, &format!("_r{}._udp", std::process::id())).unwrap();
    let read = |swarm: &Swarm<Behaviour>| {
        let counters = swarm.behaviour().counters();
        (counters.reads_in_vain, counters.packets_received)
    };
    executor.block_on(within(async {
        // Its own announcement came back: the sockets are open.
        while read(&swarm).1 == 0 {
            let _ = future::select(swarm.next(), Timer::after(Duration::from_millis(10))).await;
        }
        let (before, mut allocating) = (read(&swarm), 0);
        for _ in 0..1_000 {
            future::poll_fn(|cx| {
                let allocated = ALLOCATIONS.get();
                let _ = swarm.behaviour_mut().poll(cx);
                allocating += u64::from(ALLOCATIONS.get() > allocated);
                Poll::Ready(())
            })
            .await;
        }
        let after = read(&swarm);
        let (in_vain, packets) = (after.0 - before.0, after.1 - before.1);
        // Each packet that came meanwhile is followed by a read that finds no other.
        assert!(in_vain <= packets + 8, "{in_vain} reads in vain in 1,000 polls, {packets} packets");
        assert!(allocating <= packets + 8, "{allocating} of 1,000 polls allocated, {packets} packets");
    }));
}
