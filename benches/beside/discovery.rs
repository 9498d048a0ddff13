//! Two peers of a kind started at once on this machine's network: how long until each knows the other.

use super::{
    kind::Kind,
    meeting,
    sheet::{Figure, Sheet},
    stranger::Stranger,
};
use std::{
    thread::{ScopedJoinHandle, scope},
    time::Duration,
};

/// Measures one round of a kind.
pub fn measure(kind: &'static Kind, sheet: &mut Sheet) -> Result<(), String> {
    let found = match kind.file {
        None => meeting::run()?.0,
        Some(file) => strangers(file, kind.dht)?,
    };
    sheet.take(Figure::Discovery, kind, found.as_secs_f64());
    Ok(())
}

fn strangers(file: &str, dht: bool) -> Result<Duration, String> {
    let start = || Stranger::start(file, "/ip4/0.0.0.0/tcp/0", true, dht);
    let (mut one, mut other) = both(start, start)?;
    let (one_id, other_id) = (one.peer.clone(), other.peer.clone());
    let (first, second) = both(|| one.wait_discovered(&other_id), || other.wait_discovered(&one_id))?;
    Ok(first.max(second))
}

/// Does both at once.
fn both<T: Send>(
    one: impl FnOnce() -> Result<T, String> + Send,
    other: impl FnOnce() -> Result<T, String> + Send,
) -> Result<(T, T), String> {
    scope(|scope| {
        let (one, other) = (scope.spawn(one), scope.spawn(other));
        let join = |thread: ScopedJoinHandle<'_, _>| thread.join().unwrap_or(Err("it panicked".into()));
        Ok((join(one)?, join(other)?))
    })
}
