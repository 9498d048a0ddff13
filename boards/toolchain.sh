# shellcheck shell=bash
# What the scripts beside this one share: which Rust builds for a target, what is missing and how to get it.
#
# A target is built by rustup's toolchain where rustup has it. Where it does not (some mirrors and some targets),
# Debian's rustc builds the standard library along from Debian's source of it. zig is compiler of the C parts, linker
# and musl for every Linux target.
#
# RUST_FROM=debian takes the second way also where the first is open.

# The versions that were tried; a newer one usually does as well.
ZIG=ziglang==0.17.1
ZIGBUILD=cargo-zigbuild==0.24.0

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# As cargo takes it: from where one stands.
target_dir=${CARGO_TARGET_DIR:-$root/target}
case $target_dir in /*) ;; *) target_dir=$PWD/$target_dir ;; esac
export CARGO_TARGET_DIR=$target_dir
tools=$target_dir/boards/tools
PATH=$tools/bin:$PATH
# What was set for the host is not for a board.
unset RUSTC RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_BOOTSTRAP

# Each entry: what is missing, a tab, the command that gets it.
missing=()
cargo_flags=()

has() { command -v "$1" >/dev/null; }

# The commands that install Debian packages, by sudo where needed.
apt_get() {
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo "
    echo "${sudo}apt-get update -qq && ${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $*"
}

# lack WHAT COMMAND: the command gets it. Once is enough.
lack() {
    local entry
    for entry in "${missing[@]}"; do
        if [ "$entry" = "$1"$'\t'"$2" ]; then return; fi
    done
    missing+=("$1"$'\t'"$2")
}

# need PROGRAM PACKAGE: PROGRAM comes with Debian's PACKAGE.
need() { has "$1" || lack "$1" "$(apt_get "$2")"; }

need_cargo() {
    if ! has cargo; then
        lack "cargo and rustc $(rust_version) or newer" "curl -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal"
    fi
}

need_zig() {
    if has cargo-zigbuild && { has zig || python3 -m ziglang version >/dev/null 2>&1; }; then
        return
    fi
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        lack "python3 with venv" "$(apt_get python3-venv)"
    fi
    lack "zig and cargo-zigbuild" "python3 -m venv $tools && $tools/bin/pip install -q $ZIG $ZIGBUILD"
}

rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml"; }

rustup_has() { [ "${RUST_FROM:-}" != debian ] && has rustup && rustup target list --installed 2>/dev/null | grep -qx "$1"; }

debian_has_source() {
    local rustc=/usr/bin/rustc version
    [ -x $rustc ] && [ -d "$($rustc --print sysroot)/lib/rustlib/src/rust/library/std" ] || return 1
    version=$($rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$(rust_version)" "$version" | sort -V | head -1)" = "$(rust_version)" ]
}

# need_target TARGET
need_target() {
    rustup_has "$1" || debian_has_source || {
        local get
        get=$(apt_get rustc-web rust-web-src)
        if has rustup && [ "${RUST_FROM:-}" != debian ]; then get="rustup target add $1 || { $get; }"; fi
        lack "Rust's standard library for $1" "$get"
    }
}

# need_linker TARGET: for a bare board. rustup brings one with Rust, Debian does not.
need_linker() { rustup_has "$1" || need ld.lld lld; }

# Gets or tells what is missing. With `--install` as argument it is got.
settle() {
    [ ${#missing[@]} -gt 0 ] || return 0
    local entry
    for entry in "${missing[@]}"; do
        if [ "${1:-}" = --install ]; then
            echo "getting ${entry%%$'\t'*}" >&2
            # The backtrace of a tool that failed helps nobody: there is a second way.
            RUST_BACKTRACE=0 bash -c "${entry#*$'\t'}" >&2 || { echo "could not get ${entry%%$'\t'*}" >&2; return 1; }
        else
            printf 'missing: %s\n    %s\n' "${entry%%$'\t'*}" "${entry#*$'\t'}" >&2
        fi
    done
    if [ "${1:-}" != --install ]; then
        echo "Run these commands, or this one again with --install." >&2
        return 1
    fi
    missing=()
    hash -r
}

# What the compiler may know of all the processors of a target, as flags of rustc. It counts: boards/README.md.
# A Cortex-A53 can have instructions for AES and SHA-2, on Raspberry Pis before the fifth it has none.
processor() {
    case $1 in
        aarch64-*-linux-*) echo "-C target-cpu=cortex-a53 -C target-feature=-aes,-sha2,-crc" ;;
        arm-*-linux-*) echo "-C target-cpu=arm1176jzf-s" ;;
        riscv64gc-*-linux-*) echo "-C target-cpu=sifive-u74" ;;
    esac
}

# choose_rust TARGET CRATES: sets `cargo_flags` and the environment; CRATES are of the standard library.
choose_rust() {
    cargo_flags=(--locked --target "$1")
    unset RUSTC RUSTFLAGS RUSTC_BOOTSTRAP
    local flags
    flags=$(processor "$1")
    if rustup_has "$1"; then
        rust="rustup's $(rustc --version)"
    else
        rust="Debian's $(/usr/bin/rustc --version), standard library from source"
        export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
        cargo_flags+=("-Zbuild-std=$2")
        case $1 in
            # zig brings the start of a program itself.
            *-linux-*) flags+=" -C link-self-contained=no" ;;
            *-none-*) export "CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$1")_LINKER=ld.lld" ;;
        esac
    fi
    [ -z "$flags" ] || export RUSTFLAGS=$flags
}
