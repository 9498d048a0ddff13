//! A stranger: a peer on rust-libp2p with tokio, steered as ../../README.md says.

mod finds;
mod lines;
mod node;
mod peer;
mod trips;

use lines::{Failure, Request, answer, failure};
use node::Node;
use serde_json::json;

async fn start(node: &mut Option<Node>, request: &Request) -> Result<serde_json::Value, Failure> {
    if node.is_some() {
        return Err(failure("already started"));
    }
    let started = node.insert(Node::start(request).await?);
    Ok(json!({ "peer": started.id().to_string(), "version": peer::version() }))
}

#[tokio::main]
async fn main() {
    let mut node: Option<Node> = None;
    let mut requests = lines::requests();
    loop {
        let request = match &mut node {
            None => requests.recv().await,
            Some(node) => tokio::select! {
                request = requests.recv() => request,
                () = node.step() => continue,
            },
        };
        let Some(request) = request else { break };
        match (request.name.as_str(), &mut node) {
            ("stop", _) => {
                answer(request.tag, Ok(json!({})));
                break;
            }
            ("start", _) => answer(request.tag, start(&mut node, &request).await),
            (_, None) => answer(request.tag, Err(failure("not started"))),
            (_, Some(node)) => match node.request(&request) {
                Ok(Some(line)) => answer(request.tag, Ok(line)),
                Ok(None) => {}
                Err(failure) => answer(request.tag, Err(failure)),
            },
        }
    }
    if let Some(node) = node {
        node.stop().await;
    }
}
