//! What peers tell each other when they meet, byte for byte: what `tests/vectors/` says holds in both directions.

#[path = "vectors/notation.rs"]
mod notation;

use notation::{hex, lines, quoted};
use stonechat::wire::bounds::{HELLO_BYTES_MAX, LEVEL_MAX, STAMP_MAX};
use stonechat::wire::hello::{Hello, HelloError, Said};

#[test]
fn what_is_said_holds_both_ways() {
    let lines = lines(include_str!("vectors/hellos.txt"));
    assert!(lines.len() >= 11);
    for line in &lines {
        let (nick, version, author);
        let said = match line[1..] {
            ["hello", time, level, first, second] => {
                (nick, version) = (quoted(first), quoted(second));
                let unix_ms = (time != "-").then(|| time.parse().unwrap());
                Said::Hello(Hello { unix_ms, level: level.parse().unwrap(), nick: &nick, version: &version })
            }
            ["refused", bytes, ahead] => {
                author = hex(bytes);
                Said::Refused { author: &author, ahead_ms: ahead.parse().unwrap() }
            }
            ["noted"] => Said::Noted,
            _ => panic!("no such kind: {line:?}"),
        };
        let bytes = hex(line[0]);
        assert_eq!(Said::decode(&bytes), Ok(said), "{line:?}");
        assert_eq!(said.encode().unwrap().as_slice(), bytes, "{line:?}");
        for cut in 0..bytes.len() {
            assert!(Said::decode(&bytes[..cut]).is_err(), "none has another at its start: {line:?}");
        }
    }
}

#[test]
fn what_nobody_may_say_is_refused_with_the_rule() {
    let lines = lines(include_str!("vectors/hellos_refused.txt"));
    assert!(lines.len() >= 30);
    for line in &lines {
        let [bytes, why] = line.as_slice() else { panic!("two fields: {line:?}") };
        let error = Said::decode(&hex(bytes)).unwrap_err();
        assert_eq!(format!("{error:?}"), *why, "{line:?}");
    }
}

#[test]
fn what_would_be_refused_cannot_be_said() {
    let long = "x".repeat(65);
    let hello = Hello { unix_ms: Some(5), level: 1, nick: "", version: "" };
    for (said, error) in [
        (Said::Hello(Hello { unix_ms: None, ..hello }), HelloError::NoTime),
        (Said::Hello(Hello { unix_ms: Some(STAMP_MAX + 1), ..hello }), HelloError::Bounds),
        (Said::Hello(Hello { level: LEVEL_MAX + 1, ..hello }), HelloError::Bounds),
        (Said::Hello(Hello { nick: &long[..33], ..hello }), HelloError::Bounds),
        (Said::Hello(Hello { version: &long[..33], ..hello }), HelloError::Bounds),
        (Said::Refused { author: &[], ahead_ms: 5 }, HelloError::Bounds),
        (Said::Refused { author: long.as_bytes(), ahead_ms: 5 }, HelloError::Bounds),
        (Said::Refused { author: &[7], ahead_ms: STAMP_MAX + 1 }, HelloError::Bounds),
    ] {
        assert_eq!(said.encode(), Err(error), "{said:?}");
    }
}

/// Every change of one or two bytes of every line: it is refused, or it means what it would be written as.
#[test]
fn no_bytes_do_harm_and_everything_has_one_encoding() {
    let (mut taken, mut refused) = (0, 0);
    for line in lines(include_str!("vectors/hellos.txt")) {
        let good = hex(line[0]);
        for at in 0..good.len() {
            for byte in 0..=255 {
                let mut bytes = good.clone();
                bytes[at] = byte;
                let longer = [&bytes[..at], &[byte], &bytes[at..]].concat();
                for bytes in [bytes, longer] {
                    match Said::decode(&bytes) {
                        Ok(said) => {
                            taken += 1;
                            assert_eq!(said.encode().unwrap().as_slice(), bytes, "{bytes:02x?}");
                        }
                        Err(_) => refused += 1,
                    }
                }
            }
        }
    }
    assert!(taken > 10_000 && refused > 10_000, "{taken} taken, {refused} refused");
    assert!(Said::decode(&[0; HELLO_BYTES_MAX + 1]).is_err());
}
