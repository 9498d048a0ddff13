//! Errors of connections in words, and what helps.

use libp2p::{TransportError, swarm::DialError};

/// Kinds of keys that this program does not know, as libp2p names them.
const UNKNOWN_KEYS: [&str; 2] = ["secp256k1", "ecdsa"];

/// A dial's error in one line: what each address answered.
pub fn sentence(error: &DialError) -> String {
    match error {
        DialError::Transport(failures) => {
            let failures = failures.iter().map(|(address, error)| match error {
                TransportError::MultiaddrNotSupported(_) => format!("{address}: not a TCP address this peer can dial"),
                TransportError::Other(error) => format!("{address}: {}", root(error)),
            });
            failures.collect::<Vec<_>>().join("; ")
        }
        DialError::NoAddresses => "no address is known".into(),
        DialError::WrongPeerId { obtained, .. } => format!("another peer answered: {obtained}"),
        DialError::LocalPeerId { .. } => "that is this peer itself".into(),
        DialError::Denied { cause } => root(cause),
        error => error.to_string(),
    }
}

/// `1 peer`, `2 peers`.
pub fn count_of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The innermost cause, for libp2p wraps errors several times; and for a key that is not known, not a build's option but
/// the key.
pub fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    match UNKNOWN_KEYS.into_iter().find(|kind| text.contains(&format!("feature `{kind}`"))) {
        Some(kind) => unknown_key(kind),
        None => text,
    }
}

fn unknown_key(kind: &str) -> String {
    format!("its identity is a key of the kind {kind}, and only Ed25519 and RSA are known here")
}

/// The kind of the key, if an error in these words is that it is not known.
pub fn kind_of_key(reason: &str) -> Option<&'static str> {
    UNKNOWN_KEYS.into_iter().find(|kind| reason.contains(&unknown_key(kind)))
}

/// What helps against an error in these words.
pub fn helps(reason: &str) -> &'static str {
    let has = |part: &str| reason.contains(part);
    match () {
        () if kind_of_key(reason).is_some() => "give it a key of another kind",
        () if has("another peer answered") => "correct what stands behind /p2p/, or leave it away",
        () if has("that is this peer itself") => "leave it away",
        () if has("refused") => "see whether it runs, and whether the port is right",
        () if has("timed out") || has("Timeout") || has("timeout") => {
            "see whether the address is right, and whether a firewall is in between"
        }
        () if has("invalid message") => {
            "something else than a libp2p peer may listen there: see whether the port is right"
        }
        () if has("unreachable") => "this host has no way there: see its network",
        () if has("no neighbour answers") => "its IP address would do as well",
        () if has("name") || has("DNS") || has("dns") || has("does not exist") => {
            "see whether the name is right, and the name server"
        }
        () => "see whether it runs and can be reached",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn an_unknown_key_is_named_and_not_the_option_of_a_build() {
        for kind in UNKNOWN_KEYS {
            let inner = io::Error::other(format!("cargo feature `{kind}` is not enabled"));
            let said = root(&io::Error::other(inner));
            assert!(said.contains(kind) && !said.contains("feature"), "{said}");
            assert_eq!(kind_of_key(&format!("/ip4/192.0.2.7/tcp/1: {said}")), Some(kind));
            assert_eq!(helps(&said), "give it a key of another kind");
        }
        assert_eq!(kind_of_key("connection refused"), None);
    }

    /// What libp2p says of such a key today; where its words change, this fails.
    #[test]
    fn libp2ps_words_for_such_a_key_are_known() {
        for (number, kind) in [(2, "secp256k1"), (3, "ecdsa")] {
            let key = [8, number, 18, 2, 0, 0];
            let error = libp2p::identity::PublicKey::try_decode_protobuf(&key).unwrap_err();
            assert_eq!(kind_of_key(&root(&error)), Some(kind), "{error}");
        }
    }

    #[test]
    fn what_helps_depends_on_what_is_wrong() {
        for (reason, part) in [
            ("Connection refused (os error 111)", "whether it runs"),
            ("Timeout has been reached", "firewall"),
            ("Network is unreachable (os error 101)", "no way there"),
            ("Received an invalid message.", "something else than a libp2p peer"),
            ("another peer answered: 12D3", "/p2p/"),
            ("boot.example.org does not exist", "whether the name is right"),
            (
                "no neighbour answers for pi.local: …; nor does a name server help (pi.local does not exist)",
                "IP address",
            ),
            ("something else", "can be reached"),
        ] {
            assert!(helps(reason).contains(part), "{reason}: {}", helps(reason));
        }
    }
}
