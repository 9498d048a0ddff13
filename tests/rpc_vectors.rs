//! gossipsub's RPC, byte for byte: what `tests/vectors/rpc*.txt` says holds in both directions, and prost with
//! libp2p-gossipsub's schema reads and writes the same.

#[path = "vectors/notation.rs"]
mod notation;
#[path = "rpc_vectors/schema.rs"]
mod schema;
#[path = "rpc_vectors/written.rs"]
mod written;

use libp2p::identity::{Keypair, PublicKey};
use notation::{hex, lines};
use schema::{flat, made};
use stonechat::base::random::Random;
use stonechat::wire::rpc::bounds::RPC_BYTES_MAX;
use stonechat::wire::rpc::{DecodeError, EncodeError, Message, Part, Parts, encode_frame, frame_len};
use written::{Written, parts_of};

fn read(bytes: &[u8]) -> Result<Vec<Part<'_>>, DecodeError> {
    Parts::new(bytes).collect()
}

fn encode(parts: &[Part<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; RPC_BYTES_MAX];
    let mut length = 0;
    for part in parts {
        let written = part.encode(&mut bytes[length..]).unwrap();
        assert_eq!(written, part.encoded_len());
        length += written;
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn what_go_writes_is_read_and_written_the_same() {
    let lines = lines(include_str!("vectors/rpc.txt"));
    assert!(lines.len() >= 17);
    for line in &lines {
        let bytes = hex(line[0]);
        let written: Vec<Written> = line[1..].iter().map(|part| Written::new(part)).collect();
        let parts = parts_of(&written);
        assert_eq!(read(&bytes).as_deref(), Ok(parts.as_slice()), "{line:?}");
        assert_eq!(encode(&parts), bytes, "{line:?}");
        let mut frame = vec![0; frame_len(&parts)];
        assert_eq!(encode_frame(&parts, &mut frame), Ok(frame.len()));
        assert!(frame.ends_with(&bytes) && frame.len() <= bytes.len() + 2);
        assert_eq!(encode_frame(&parts, &mut frame[1..]), Err(EncodeError::NoSpace));
        for cut in 0..bytes.len() {
            let read: Vec<_> = Parts::new(&bytes[..cut]).collect();
            assert!(read.len() <= parts.len() + 1 && read.iter().rev().skip(1).all(Result::is_ok), "cut at {cut}");
        }
    }
}

#[test]
fn what_others_write_otherwise_is_read() {
    for line in lines(include_str!("vectors/rpc_read.txt")) {
        let written: Vec<Written> =
            line[1..].iter().filter(|part| !part.is_empty()).map(|part| Written::new(part)).collect();
        let parts = parts_of(&written);
        assert_eq!(read(&hex(line[0])).as_deref(), Ok(parts.as_slice()), "{line:?}");
    }
}

#[test]
fn what_is_refused_names_the_rule_and_costs_no_more_than_it_must() {
    let lines = lines(include_str!("vectors/rpc_refused.txt"));
    assert!(lines.len() >= 40);
    for line in &lines {
        let [bytes, why, others] = line.as_slice() else { panic!("three fields: {line:?}") };
        let bytes = hex(bytes);
        let (read, errors): (Vec<_>, Vec<_>) = Parts::new(&bytes).partition(Result::is_ok);
        let errors: Vec<String> = errors.into_iter().map(|error| format!("{:?}", error.unwrap_err())).collect();
        assert_eq!((errors, read.len().to_string()), (vec![why.to_string()], others.to_string()), "{line:?}");
    }
}

#[test]
fn what_is_signed_is_what_go_signs() {
    let expected = lines(include_str!("vectors/rpc_signed.txt"));
    let key = Keypair::ed25519_from_bytes(std::array::from_fn::<u8, 32, _>(|n| n as u8)).unwrap();
    let mut checked = 0;
    for line in lines(include_str!("vectors/rpc.txt")) {
        let bytes = hex(line[0]);
        for part in Parts::new(&bytes) {
            let Ok(Part::Message(message)) = part else { continue };
            let Some(strict) = message.strict() else { continue };
            let mut signed = [0; 4096];
            let length = message.encode_signed(&mut signed).unwrap();
            let signed = &signed[..length];
            assert!(expected.iter().any(|line| hex(line[0]) == signed), "{message:?}");
            assert_eq!(key.sign(signed).unwrap(), strict.signature, "Ed25519 signs the same each time");
            let public = PublicKey::try_decode_protobuf(&strict.from[2..]).unwrap();
            assert!(public.verify(signed, strict.signature));
            assert_eq!(message.encode_signed(&mut vec![0; length - 1]), Err(EncodeError::NoSpace));
            checked += 1;
        }
    }
    assert_eq!(checked, 8);
}

#[test]
fn what_would_be_refused_cannot_be_written() {
    let long = [7; 5000];
    let part = Part::Message(Message { data: Some(&long[..2177]), ..Message::default() });
    assert!(matches!(part.encode(&mut [0; 5000]), Err(EncodeError::TooLong(_))));
    let part = Part::Graft { topic: &long[..129] };
    assert!(matches!(part.encode(&mut [0; 5000]), Err(EncodeError::TooLong(_))));
    let ids = [&long[..129]];
    let part = Part::IWant { ids: stonechat::wire::rpc::List::ids(&ids) };
    assert!(matches!(part.encode(&mut [0; 5000]), Err(EncodeError::TooLong(_))));
    let message = Part::Message(Message { data: Some(&long[..2000]), ..Message::default() });
    assert!(matches!(encode_frame(&[message; 13], &mut [0; 40_000]), Err(EncodeError::TooLong(_))));
}

/// Another reader and writer of the same schema, which libp2p-gossipsub uses too, agrees on RPCs made by chance.
#[test]
fn prost_reads_and_writes_the_same() {
    let mut random = Random::new(0x57_0e);
    for round in 0..3_000 {
        let rpc = made(&mut random);
        let bytes = prost::Message::encode_to_vec(&rpc);
        let parts = read(&bytes).unwrap_or_else(|error| panic!("round {round}: {error:?} in {rpc:?}"));
        assert_eq!(flat(&rpc), parts, "round {round}");
        let again: schema::Rpc = prost::Message::decode(encode(&parts).as_slice()).unwrap();
        assert_eq!(flat(&again), parts, "round {round}");
    }
}

/// Bytes changed by chance: no panic, and whatever is read without an error prost reads too.
#[test]
fn no_bytes_do_harm() {
    let mut random = Random::new(0xa7);
    let (mut whole, mut refused) = (0, 0);
    for _ in 0..60_000 {
        let mut bytes = prost::Message::encode_to_vec(&made(&mut random));
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64 + 1) as usize;
            match random.below(4) {
                0 => bytes.insert(at, random.number() as u8),
                1 => bytes.truncate(at),
                _ if at < bytes.len() => bytes[at] = random.number() as u8,
                _ => bytes.push(random.number() as u8),
            }
        }
        match read(&bytes) {
            Ok(parts) => {
                whole += 1;
                assert_eq!(read(&encode(&parts)).as_deref(), Ok(parts.as_slice()));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(whole > 3_000 && refused > 3_000, "{whole} whole, {refused} refused: the test looks at too little");
}
