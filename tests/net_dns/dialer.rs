//! A resolving transport on an executor of its own, with a limit on every wait.

use std::{
    future::Future,
    io::Write,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use libp2p::{
    Multiaddr,
    core::{
        Endpoint, Transport as _,
        transport::{DialOpts, PortUse, TransportError},
    },
};
use stonechat::net::{dns, executor::Executor, tcp};

/// Generous: a loaded machine may take seconds.
const LIMIT: Duration = Duration::from_secs(40);

pub type Error = dns::Error<tcp::Error>;

pub struct Dialer {
    pub executor: Executor,
    pub transport: dns::Transport<tcp::Transport>,
}

impl Dialer {
    pub fn new(config: dns::Config) -> Self {
        let executor = Executor::new();
        let transport = dns::Transport::new(tcp::Transport::default(), config, &executor);
        Dialer { executor, transport }
    }

    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.executor.block_on(smol::future::or(work, async {
            smol::Timer::after(LIMIT).await;
            panic!("not within {LIMIT:?}")
        }))
    }

    /// Starts a dial; it goes on when polled.
    pub fn start(
        &mut self,
        address: &str,
    ) -> Result<impl Future<Output = Result<tcp::Stream, Error>> + use<>, TransportError<Error>> {
        let address: Multiaddr = address.parse().expect("a multiaddress");
        self.transport.dial(address, DialOpts { role: Endpoint::Dialer, port_use: PortUse::New })
    }

    /// Dials, and tells where the connection ended.
    pub fn dial(&mut self, address: &str) -> Result<SocketAddr, Error> {
        let dial = self.start(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        self.run(dial).map(|stream| stream.peer_addr().expect("a connection has another end"))
    }

    /// Dials in vain, and tells why.
    pub fn fail(&mut self, address: &str) -> String {
        match self.dial(address) {
            Ok(to) => panic!("{address} led to {to}"),
            Err(error) => error.to_string(),
        }
    }
}

/// Files and servers of a test's own, none of the machine's.
pub struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub fn new() -> Self {
        Files { folder: tempfile::tempdir().unwrap() }
    }

    pub fn config(&self) -> dns::Config {
        let path = |name| self.folder.path().join(name);
        dns::Config { resolv_conf: path("resolv.conf"), hosts: path("hosts"), ..dns::Config::default() }
    }

    /// Replaces the file as programs do: another file under the same name.
    pub fn write(&self, name: &str, text: &str) {
        let mut file = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.persist(self.folder.path().join(name)).unwrap();
    }
}

/// Someone who can be dialed, by IPv4 or IPv6: the port.
pub fn listen(ip: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((ip, 0)).unwrap_or_else(|error| panic!("{ip}: {error}"));
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}
