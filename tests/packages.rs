//! The Debian packages that boards/deb made: unpacked, and what is in them looked at.
//!
//! With `STONECHAT_TEST_DEB=must` those for amd64, arm64 and armhf must be there, else it says that it is skipped: one
//! that lies there since an earlier build says nothing of this one.

mod app;

use app::{err, out};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Every file of a package and its mode.
const FILES: [(&str, u32); 9] = [
    ("etc/stonechat/config.toml", 0o644),
    ("usr/bin/stonechat", 0o755),
    ("usr/lib/systemd/system/stonechat.service", 0o644),
    ("usr/share/bash-completion/completions/stonechat", 0o644),
    ("usr/share/doc/stonechat/README.md", 0o644),
    ("usr/share/doc/stonechat/copyright", 0o644),
    ("usr/share/fish/vendor_completions.d/stonechat.fish", 0o644),
    ("usr/share/man/man1/stonechat.1", 0o644),
    ("usr/share/zsh/vendor-completions/_stonechat", 0o644),
];

/// Of each architecture the machine and the class that its ELF header names.
const ARCHITECTURES: [(&str, u8, u8); 3] = [("amd64", 62, 2), ("arm64", 183, 2), ("armhf", 40, 1)];

fn dpkg_deb(arguments: &[&str]) -> Output {
    let output = Command::new("dpkg-deb").args(arguments).output().expect("dpkg-deb of Debian's package dpkg");
    assert!(output.status.success(), "{arguments:?}: {}", err(&output));
    output
}

fn files(root: &Path, dir: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777;
        if path.is_dir() {
            assert_eq!(mode, 0o755, "{}", path.display());
            files(root, &path, found);
        } else {
            found.push((path.strip_prefix(root).unwrap().to_str().unwrap().into(), mode));
        }
    }
}

fn check(package: &Path, architecture: &str, machine: u8, class: u8) {
    let package = package.to_str().unwrap();
    let field = |name: &str| out(&dpkg_deb(&["-f", package, name])).trim().to_string();
    assert_eq!(field("Package"), "stonechat");
    assert_eq!(field("Architecture"), architecture);
    assert_eq!(field("Version").split('-').next(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(field("Depends"), "", "it is static");
    let dir = tempfile::tempdir().unwrap();
    let (root, control) = (dir.path().join("root"), dir.path().join("control"));
    dpkg_deb(&["-x", package, root.to_str().unwrap()]);
    dpkg_deb(&["-e", package, control.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(control.join("conffiles")).unwrap().trim(), "/etc/stonechat/config.toml");
    assert!(!control.join("postinst").exists(), "it enables and starts nothing");

    let mut found = Vec::new();
    files(&root, &root, &mut found);
    found.sort();
    assert_eq!(found, FILES.map(|(name, mode)| (name.to_string(), mode)));
    let text = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    for name in ["systemd/stonechat.service", "systemd/config.toml"] {
        let ours = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("boards").join(name)).unwrap();
        let place = if name.ends_with("toml") {
            "etc/stonechat/config.toml"
        } else {
            "usr/lib/systemd/system/stonechat.service"
        };
        assert_eq!(text(place), ours, "{name}");
    }
    for (name, words) in [
        ("usr/share/man/man1/stonechat.1", ["man", ""]),
        ("usr/share/bash-completion/completions/stonechat", ["completions", "bash"]),
        ("usr/share/zsh/vendor-completions/_stonechat", ["completions", "zsh"]),
        ("usr/share/fish/vendor_completions.d/stonechat.fish", ["completions", "fish"]),
    ] {
        let words = words.iter().filter(|word| !word.is_empty());
        let printed = Command::new(env!("CARGO_BIN_EXE_stonechat")).args(words).output().unwrap();
        assert_eq!(text(name), out(&printed), "{name}");
    }
    let program = fs::read(root.join("usr/bin/stonechat")).unwrap();
    assert_eq!(&program[..4], b"\x7fELF");
    assert_eq!((program[4], program[18]), (class, machine), "the processor of {architecture}");
    // What the linker of a program that is not static would be named by.
    assert!(!program.windows(8).any(|bytes| bytes == b"/lib/ld-"));
    if architecture == "amd64" && cfg!(target_arch = "x86_64") {
        let run = Command::new(root.join("usr/bin/stonechat"))
            .args(["board", "--json", "--config"])
            .arg(root.join("etc/stonechat/config.toml"))
            .args(["--dir", "/nowhere"])
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", err(&run));
    }
}

#[test]
fn each_package_holds_what_it_should() {
    if std::env::var("STONECHAT_TEST_DEB").as_deref() != Ok("must") {
        println!("skipped: STONECHAT_TEST_DEB=must looks at what boards/deb made");
        return;
    }
    // Beside the directory of the profile that this was built with.
    let target = Path::new(env!("CARGO_BIN_EXE_stonechat")).ancestors().nth(2).unwrap();
    for (architecture, machine, class) in ARCHITECTURES {
        let name = format!("stonechat_{}_{architecture}.deb", env!("CARGO_PKG_VERSION"));
        let package: PathBuf = target.join("debian").join(name);
        assert!(package.exists(), "{} is missing: boards/deb {architecture}", package.display());
        check(&package, architecture, machine, class);
        println!("{architecture}: {} bytes, as it should be", fs::metadata(&package).unwrap().len());
    }
}
