//! Which protocols are offered, and which are taken.

use crate::gossip::Protocol;
use futures::future::{Ready, ready};
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use std::{convert::Infallible, iter::Copied, slice};

/// What is read: also 1.3, whose extensions are skipped, for it saves those who offer it first a round trip.
const INBOUND: [&str; 5] = ["/meshsub/1.3.0", "/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0", "/floodsub/1.0.0"];
/// What is spoken, preferred first.
const OUTBOUND: [&str; Protocol::ALL.len()] = {
    let [(a, _), (b, _), (c, _), (d, _)] = Protocol::ALL;
    [a, b, c, d]
};

/// Whether a protocol is one of those that are read.
pub fn is_gossip(protocol: &str) -> bool {
    INBOUND.contains(&protocol)
}

/// For streams of the remote.
#[derive(Debug, Clone, Copy)]
pub struct Inbound;

/// For streams of ours.
#[derive(Debug, Clone, Copy)]
pub struct Outbound;

impl UpgradeInfo for Inbound {
    type Info = &'static str;
    type InfoIter = Copied<slice::Iter<'static, &'static str>>;

    fn protocol_info(&self) -> Self::InfoIter {
        INBOUND.iter().copied()
    }
}

impl UpgradeInfo for Outbound {
    type Info = &'static str;
    type InfoIter = Copied<slice::Iter<'static, &'static str>>;

    fn protocol_info(&self) -> Self::InfoIter {
        OUTBOUND.iter().copied()
    }
}

impl<S> InboundUpgrade<S> for Inbound {
    type Output = S;
    type Error = Infallible;
    type Future = Ready<Result<S, Infallible>>;

    fn upgrade_inbound(self, stream: S, _: &'static str) -> Self::Future {
        ready(Ok(stream))
    }
}

impl<S> OutboundUpgrade<S> for Outbound {
    type Output = (S, Protocol);
    type Error = Infallible;
    type Future = Ready<Result<(S, Protocol), Infallible>>;

    fn upgrade_outbound(self, stream: S, agreed: &'static str) -> Self::Future {
        let known = Protocol::ALL.into_iter().find(|(name, _)| *name == agreed);
        ready(Ok((stream, known.map_or(Protocol::None, |(_, protocol)| protocol))))
    }
}
