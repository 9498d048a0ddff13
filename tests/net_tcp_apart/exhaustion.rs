//! Out of file descriptors: a listener pauses and recovers. In a process of its own, whose limit is lowered.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Command, Stdio},
    time::Instant,
};

use libp2p::core::transport::TransportEvent;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stonechat::net::tcp::Error;

use crate::CHILD;
use crate::drive::{LIMIT, listen, next, port, run, transport};

/// How many connect.
const CLIENTS: usize = 12;

/// How many of them fit before the child is out of file descriptors.
const ROOM: u64 = 3;

/// The child's side: prints its port, accepts what it can, and lets go of what it holds after three failures.
#[test]
#[ignore = "run by a_listener_out_of_file_descriptors_pauses_and_recovers"]
fn child_runs_out_of_file_descriptors() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    run(async {
        let mut tcp = transport();
        let (_, at) = listen(&mut tcp, "/ip4/127.0.0.1/tcp/0").await;
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(open + ROOM), ..limit }).unwrap();
        println!("port {}", port(&at));

        let start = Instant::now();
        let mut held = Vec::new();
        let (mut accepted, mut errors) = (0, 0);
        while accepted < CLIENTS {
            match next(&mut tcp).await {
                TransportEvent::Incoming { upgrade, .. } => {
                    held.push(upgrade.await.unwrap());
                    accepted += 1;
                }
                TransportEvent::ListenerError { error: Error::Accept { source }, .. } => {
                    assert_eq!(source.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()), "{source}");
                    errors += 1;
                    if errors % 3 == 0 {
                        held.clear();
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        // Each failure costs a pause of at least 100 ms: it does not spin.
        assert!(errors >= 3, "{errors} failures: the limit was not reached");
        assert!(errors as f64 <= 1.0 + start.elapsed().as_secs_f64() * 10.0, "{errors} in {:?}", start.elapsed());
        assert_eq!(tcp.counters().counts().accept_errors, errors);
        println!("accepted all, {errors} failures");
    });
}

#[test]
fn a_listener_out_of_file_descriptors_pauses_and_recovers() {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "exhaustion::child_runs_out_of_file_descriptors"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines.find_map(|line| Some(line.split_once("port ")?.1.parse::<u16>().unwrap())).expect("a port");
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let last = lines.find(|line| line.contains("accepted all"));
    assert!(child.wait().unwrap().success());
    assert!(last.is_some());
    // It ended: every connection with it.
    for client in &mut clients {
        client.set_read_timeout(Some(LIMIT)).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
    }
}
