//! What a peer's directory may and may not be.

use super::*;
use std::fs;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_first_start_makes_a_key_and_the_next_ones_keep_it() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("not/yet/there");
    let first = load_or_create(&dir).unwrap().keypair.public();
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join(KEY_FILE)), 0o600);
    assert_eq!(mode(&dir.join(LOCK_FILE)), 0o600);
    assert_eq!(load_or_create(&dir).unwrap().keypair.public(), first);
    assert_eq!(load(&dir).unwrap().public(), first);
}

#[test]
fn the_file_is_in_the_encoding_that_other_libp2p_programs_read() {
    let dir = tempfile::tempdir().unwrap();
    let identity = load_or_create(dir.path()).unwrap();
    let bytes = fs::read(dir.path().join(KEY_FILE)).unwrap();
    // Protobuf: field 1 = type Ed25519 (1), field 2 = 64 bytes, the secret and the public half.
    assert_eq!(bytes.len(), 68);
    assert_eq!(bytes[..4], [0x08, 0x01, 0x12, 0x40]);
    assert_eq!(bytes[36..], identity.keypair.public().try_into_ed25519().unwrap().to_bytes());
}

#[test]
fn a_second_peer_is_told_and_may_come_when_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let first = load_or_create(dir.path()).unwrap();
    let error = load_or_create(dir.path()).unwrap_err();
    assert!(matches!(error, IdentityError::InUse(_)));
    let sentence = error.to_string();
    assert!(sentence.contains("already runs") && sentence.contains("--dir") && sentence.contains("--guest"));
    // Looking at the id needs no lock.
    assert_eq!(load(dir.path()).unwrap().public(), first.keypair.public());
    drop(first);
    load_or_create(dir.path()).unwrap();
}

#[test]
fn a_key_that_others_can_read_is_refused_until_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let key = load_or_create(dir.path()).unwrap().keypair.public();
    let path = dir.path().join(KEY_FILE);
    for open in [0o640, 0o604, 0o644, 0o620, 0o601] {
        set_mode(&path, open);
        let error = load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, IdentityError::ReadableByOthers { mode, .. } if mode == open));
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())));
        assert!(load(dir.path()).is_err());
    }
    set_mode(&path, 0o600);
    assert_eq!(load_or_create(dir.path()).unwrap().keypair.public(), key);
}

#[test]
fn a_damaged_key_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    drop(load_or_create(dir.path()).unwrap());
    let path = dir.path().join(KEY_FILE);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    let rsa = [&[0x08, 0x00, 0x12, 0x40], &whole[4..]].concat();
    for bad in [vec![], whole[..30].to_vec(), flipped, rsa, vec![0; 5000], b"not a key at all".to_vec()] {
        fs::write(&path, &bad).unwrap();
        let error = load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("damaged") && error.to_string().contains("remove it"));
        assert_eq!(fs::read(&path).unwrap(), bad, "a key that may still be rescued must not be overwritten");
    }
    fs::write(&path, &whole).unwrap();
    load_or_create(dir.path()).unwrap();
}

#[test]
fn looking_at_the_id_creates_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("peer");
    assert!(matches!(load(&dir), Err(IdentityError::Missing(path)) if path == dir));
    assert!(!dir.exists());
}

#[test]
fn a_directory_that_cannot_be_is_a_clear_sentence() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = load_or_create(&file.join("peer")).unwrap_err();
    assert!(error.to_string().starts_with("cannot create "), "{error}");
}

#[test]
fn two_guests_are_two_peers() {
    assert_ne!(Identity::guest().keypair.public(), Identity::guest().keypair.public());
}
