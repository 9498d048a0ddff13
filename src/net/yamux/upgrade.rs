//! From a connection to a multiplexed one: yamux needs no handshake.

use std::{
    future::{Ready, ready},
    io, iter,
    sync::Arc,
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use yamux::Mode;

use super::{config::Config, muxer::Muxer, unread::Total};

/// A [`Config`] whose connections share one bound on what is unread.
#[derive(Debug, Clone)]
pub struct Shared {
    config: Config,
    total: Arc<Total>,
}

impl Config {
    /// Makes all connections share [`unread_bytes_max`](Self::unread_bytes_max). Without, each has it for itself.
    pub fn shared(self) -> Shared {
        Shared { config: self, total: Total::new(self.unread_bytes_max as usize) }
    }
}

impl UpgradeInfo for Shared {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Shared {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_inbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Muxer::new(io, self.config, self.total, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Shared {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_outbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Muxer::new(io, self.config, self.total, Mode::Client)))
    }
}

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.shared().protocol_info()
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_inbound(self, io: C, info: &'static str) -> Self::Future {
        self.shared().upgrade_inbound(io, info)
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_outbound(self, io: C, info: &'static str) -> Self::Future {
        self.shared().upgrade_outbound(io, info)
    }
}
