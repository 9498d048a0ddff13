//! Floor 3. Stands on: base.
//!
//! Names in addresses: a libp2p transport around another one that resolves `/dns`, `/dns4`, `/dns6` and `/dnsaddr`.
//!
//! [`Transport`] replaces the first name in a dialed address by what the name server says, goes on until none is left,
//! and dials the results one after the other until one works. Addresses without a name go straight to the transport
//! inside, and so does everything about listening, except that nobody listens on a name.
//!
//! - `/dns4` asks for A records, `/dns6` for AAAA, `/dns` for A and, when none of these can be reached, for AAAA.
//! - `/dnsaddr/NAME` asks for the TXT records `dnsaddr=ADDRESS` of `_dnsaddr.NAME`. What follows it, as in
//!   `/dnsaddr/NAME/p2p/ID`, is a filter: only addresses that end so are tried. They may be `dnsaddr` again.
//! - The name servers are those of `/etc/resolv.conf`, the file is read again when it changed, and `/etc/hosts` is
//!   asked first. Where there is no name server, the names of `/etc/hosts` still work, and others get a clear error.
//! - A name without a final dot that a person gave is also tried in the search domains of `/etc/resolv.conf`. A name
//!   from a record is complete.
//!
//! Everything is bounded, because a dialed address may come from a stranger: see the constants below. There is no limit
//! on the time of the dials themselves: put this around [`net::upgrade`](crate::net::upgrade()), whose limit then holds
//! for each of the addresses and not for the lookups.
//!
//! Names under `.local` are asked of the neighbours by multicast, and of the name server when none of them answers.
//!
//! ```no_run
//! use libp2p::core::{Endpoint, Transport as _, transport::{DialOpts, PortUse}};
//! use stonechat::net::{dns, executor::Executor, tcp};
//!
//! let executor = Executor::new();
//! let mut transport = dns::Transport::system(tcp::Transport::default(), &executor);
//! let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
//! let dial = transport.dial("/dns4/board.example.org/tcp/4470".parse().unwrap(), options).unwrap();
//! match executor.block_on(dial) {
//!     Ok(stream) => println!("connected: {stream:?}"),
//!     Err(error) => println!("{error}"),
//! }
//! ```

mod config;
mod error;

mod system;

mod hosts;
mod neighbours;

mod runtime;

mod resolver;
mod transport;

pub use config::{
    ADDRESSES_PER_ANSWER_MAX, Config, DIAL_ATTEMPTS_MAX, FAILURES_MAX, HOSTS_BYTES_MAX, LOOKUPS_AT_ONCE_MAX,
    LOOKUPS_PER_DIAL_MAX, LOOKUPS_TIMEOUT_MS_MAX, NESTING_MAX, RESOLV_CONF_BYTES_MAX, SEARCH_DOMAINS_MAX, SERVERS_MAX,
    TRY_TIMEOUT_MS_MAX,
};
pub use error::{Error, Failure, LookupError};
pub use transport::Transport;
