//! The bounds of a connection.

/// What a remote may send on a new stream before we read (bytes). Source: yamux specification, "Flow Control".
pub const STREAM_WINDOW_BYTES: u32 = yamux::DEFAULT_CREDIT;

/// The bounds of one connection's streams.
///
/// Every stream starts with a window of [`STREAM_WINDOW_BYTES`], which yamux fixes. So
/// `window_bytes_max` bounds the number of streams too: where the two disagree, the bytes win and
/// [`streams`](Self::streams) says how many remain. There is room for two at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Streams open at once, both ways. A remote that opens more is disconnected. Default 16.
    pub streams_max: u16,
    /// Bytes received and not yet read, all streams together. Default 4 MiB.
    ///
    /// What exceeds 256 KiB a stream is lent to fast ones, up to twice what bandwidth and delay ask for.
    pub window_bytes_max: u32,
    /// Memory of what was received and not yet read, over all connections that [share](Self::shared) it. Default 16 MiB.
    ///
    /// When it is full, a connection that holds more than its share of it is ended if more comes on it. With less than
    /// [`STREAM_WINDOW_BYTES`] and half as much again for each connection, that can be one whose remote did nothing wrong.
    pub unread_bytes_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config { streams_max: 16, window_bytes_max: 4 * 1024 * 1024, unread_bytes_max: 16 * 1024 * 1024 }
    }
}

impl Config {
    /// How many streams a connection may have: `streams_max`, or as many as fit in `window_bytes_max`.
    pub fn streams(&self) -> usize {
        usize::from(self.streams_max).min((self.window_bytes_max / STREAM_WINDOW_BYTES) as usize).max(2)
    }

    /// How many bytes a connection may hold: `window_bytes_max`, or what two streams need.
    pub fn window_bytes(&self) -> usize {
        (self.window_bytes_max as usize).max(self.streams() * STREAM_WINDOW_BYTES as usize)
    }

    pub(super) fn to_yamux(self) -> yamux::Config {
        let mut config = yamux::Config::default();
        // In this order: each setter insists on a window large enough for the streams so far.
        config.set_max_connection_receive_window(None);
        config.set_max_num_streams(self.streams());
        config.set_max_connection_receive_window(Some(self.window_bytes()));
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_win_over_the_streams() {
        let both = |streams_max, window_bytes_max| {
            let config = Config { streams_max, window_bytes_max, ..Config::default() };
            config.to_yamux();
            (config.streams(), config.window_bytes())
        };
        assert_eq!(both(16, 4 << 20), (16, 4 << 20));
        assert_eq!(both(16, 5 << 20), (16, 5 << 20));
        assert_eq!(both(64, 2 << 20), (8, 2 << 20));
        assert_eq!(both(64, 2_500_000), (9, 2_500_000));
        assert_eq!(both(0, 0), (2, 512 << 10));
        assert_eq!(both(u16::MAX, u32::MAX), (16_383, u32::MAX as usize));
    }
}
