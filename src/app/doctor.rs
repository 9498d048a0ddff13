//! `stonechat doctor`: looks at everything that can keep a peer from others, and names what is wrong with what helps.
//!
//! Where a peer runs it is asked, for it has the ports and sees more. Where none does, the host is looked at as a peer
//! would.

use super::client::Client;
use super::config::Settings;
use super::exit::Failure;
use super::finding::{self, Finding};
use super::host;
use super::shown::duration;
use super::tables::stage;
use crate::net::executor::Executor;
use crate::node::DEFAULT_PORT;
use crate::node::command::{Answer, Command, Status};

/// Looks, and gives what is to be printed; whether something is wrong.
pub(crate) fn examine(settings: &Settings, json: bool) -> (String, bool) {
    let executor = Executor::new();
    let findings = executor.block_on(look(settings, &executor));
    let text = match json {
        true => format!("{}\n", finding::json(&findings)),
        false => finding::describe(&findings),
    };
    (text, finding::wrong(&findings) > 0)
}

async fn look(settings: &Settings, executor: &Executor) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut asked = None;
    for path in settings.sockets() {
        match answer(&path).await {
            Ok(Some(status)) => {
                asked = Some((path, status));
                break;
            }
            Ok(None) => {}
            Err(no) => findings.push(Finding::wrong("peer", no.sentence)),
        }
    }
    // The system's peer has a directory of its own, which is not for everybody.
    let is_here = asked.as_ref().is_none_or(|(path, _)| *path == settings.socket_in(&settings.dir));
    if is_here {
        findings.extend([host::directory(&settings.dir), host::identity(&settings.dir)]);
    }
    findings.push(host::networks());
    match asked {
        Some((_, status)) => of_peer(&status, settings, &mut findings),
        None => {
            let found = format!("none runs on {}: what follows was looked at without one", settings.dir.display());
            findings.insert(0, Finding::note("peer", found));
            findings.extend(host::port(settings));
            match settings.mdns {
                true => findings.extend(host::multicast().await),
                false => findings.push(Finding::note("mdns", "it is off, by --no-mdns or the configuration")),
            }
            findings.extend(host::bootstrap(settings, executor).await);
            findings.push(host::clock_here(settings));
        }
    }
    findings
}

/// The state of the peer that answers there; none if none does.
async fn answer(path: &std::path::Path) -> Result<Option<Status>, Failure> {
    let Some(mut client) = Client::find(path).await? else { return Ok(None) };
    match client.request(&Command::Status { tasks: false }).await? {
        Answer::Status(status) => Ok(Some(*status)),
        _ => Ok(None),
    }
}

/// What a running peer tells of itself.
fn of_peer(status: &Status, settings: &Settings, findings: &mut Vec<Finding>) {
    let stands = format!("it runs since {}; {}: {}", duration(status.uptime_s), stage(status.stage), status.why);
    findings.insert(0, Finding::ok("peer", stands));
    findings.push(listening(status, settings));
    let count = |name: &str| status.counters.iter().find(|counter| counter.name == name).map(|counter| counter.count);
    match (count("mdns: packets sent"), count("mdns: packets of others")) {
        (Some(sent), Some(heard)) => findings.push(host::exchanged(sent, heard, status.peers as usize)),
        _ => findings.push(Finding::note("mdns", "it is off, by --no-mdns or the configuration")),
    }
    for node in &status.bootstrap {
        let is_ok = node.ends_with(": connected");
        findings.push(if is_ok { Finding::ok("bootstrap", node) } else { Finding::note("bootstrap", node) });
    }
    let source = status.clock.source.as_str();
    findings.push(host::clock(status.clock.known, status.clock.synchronised.then_some(source)));
    for trouble in &status.troubles {
        findings.push(Finding::wrong(&trouble.code, format!("{} (for {})", trouble.sentence, duration(trouble.for_s))));
    }
}

/// Where the peer listens.
fn listening(status: &Status, settings: &Settings) -> Finding {
    let check = "port";
    let others: Vec<&str> = status
        .listening
        .iter()
        .map(String::as_str)
        .filter(|it| !it.contains("/127.0.0.1/") && !it.contains("/::1/"))
        .collect();
    let Some(first) = others.first() else {
        return Finding::wrong(check, "the peer listens on no address that others could dial");
    };
    let shown = first.split("/p2p/").next().unwrap_or(first);
    match settings.listen.is_empty() && !shown.ends_with(&format!("/tcp/{DEFAULT_PORT}")) {
        true => Finding::note(
            check,
            format!("the peer listens on {shown}, for TCP port {DEFAULT_PORT} was taken when it started"),
        ),
        false => Finding::ok(check, format!("the peer listens on {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::finding::State;
    use crate::app::{arguments::Given, config::settle, paths::Environment};
    use crate::node::command::Trouble;

    fn settings(listen: &[&str]) -> Settings {
        let listen = listen.iter().map(ToString::to_string).collect();
        let given = Given { listen, dir: Some("/nowhere".into()), ..Given::default() };
        settle(&given, &Environment::default()).unwrap()
    }

    fn status(listening: &[&str]) -> Status {
        let listening: Vec<_> = listening.iter().map(|it| format!("{it}/p2p/12D3KooW")).collect();
        serde_json::from_value(serde_json::json!({
            "peer": "12D3KooW", "nick": "", "version": "0.1.0", "board": "tiny", "stage": "join", "why": "w",
            "uptime_s": 5, "listening": listening, "peers": 0, "rooms": [], "dht_mode": "client", "dht_peers": 0,
            "bootstrap": [], "clock_known": true, "counters": []
        }))
        .unwrap()
    }

    #[test]
    fn where_it_listens_is_told_and_that_it_does_not() {
        for (addresses, listen, state) in [
            (&["/ip4/127.0.0.1/tcp/4470"][..], &[][..], State::Wrong),
            (&["/ip4/127.0.0.1/tcp/4470", "/ip4/10.0.0.5/tcp/4470"], &[], State::Ok),
            (&["/ip4/10.0.0.5/tcp/5000"], &[], State::Note),
            (&["/ip4/10.0.0.5/tcp/5000"], &["/ip4/10.0.0.5/tcp/5000"], State::Ok),
            (&[], &[], State::Wrong),
        ] {
            assert_eq!(listening(&status(addresses), &settings(listen)).state, state, "{addresses:?}");
        }
    }

    #[test]
    fn each_trouble_of_a_running_peer_is_wrong_by_its_code() {
        let trouble = Trouble {
            code: "identity_twice".into(),
            subject: String::new(),
            sentence: "a copied card".into(),
            since: None,
            for_s: 61,
        };
        let status = Status { troubles: vec![trouble], ..status(&[]) };
        let mut findings = Vec::new();
        of_peer(&status, &settings(&[]), &mut findings);
        let last = findings.last().unwrap();
        assert_eq!((last.check.as_str(), last.state), ("identity_twice", State::Wrong));
        assert_eq!(last.found, "a copied card (for 1 min 1 s)");
    }
}
