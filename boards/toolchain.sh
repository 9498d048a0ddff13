# shellcheck shell=bash
# What the scripts beside this one share: which Rust builds for a target, what is missing and how to get it.
#
# Programs are made small: Debian's rustc builds the standard library along from Debian's source of it, for size and
# without what is not used. Where there is no Debian, rustup's toolchain takes the standard library as it comes, and the
# program is larger. zig is compiler of the C parts, linker and musl for every Linux target.
#
# RUST_FROM=rustup takes the second way also where the first is open, RUST_FROM=debian the first or none.
# To see what a choice gives (boards/README.md): BUILD_RUSTFLAGS are flags of rustc after our own, BUILD_STD_FEATURES what
# the standard library is built with.

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

# Debian's, unless told otherwise.
by_debian() { [ "${RUST_FROM:-debian}" = debian ] && debian_has_source; }

# need_target TARGET [--install]: with rustup's target there, what makes the program smaller is got only when told to.
need_target() {
    if by_debian; then return; fi
    if rustup_has "$1" && { [ "${2:-}" != --install ] || ! has apt-get || [ "${RUST_FROM:-}" = rustup ]; }; then return; fi
    local get
    get=$(apt_get rustc-web rust-web-src)
    if ! has apt-get || [ "${RUST_FROM:-}" = rustup ]; then get="rustup target add $1"
    elif has rustup && [ "${RUST_FROM:-}" != debian ]; then get="{ $get; } || rustup target add $1"; fi
    lack "Rust's standard library for $1" "$get"
}

# need_linker: for a bare board, once its target is there. rustup brings one with Rust, Debian does not.
need_linker() { if by_debian; then need ld.lld lld; fi; }

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

# What makes the code of a target smaller, as flags of rustc; figures in boards/README.md. zig links ARM at a fixed address
# in any case. ARMv7 has Thumb-2, which Debian's own programs for armhf are made of; rustc takes no promise for the flag.
# Not LLVM's outliner where it is not the default: the programs it makes for ARMv6 crash.
compact() {
    case $1 in
        # SHA-512 unrolled would be 40 KB, more than twice the instruction cache of an ARM1176.
        arm-*-linux-*) echo '-C relocation-model=static --cfg sha2_backend_soft="compact"' ;;
        armv7-*-linux-*)
            echo "-C relocation-model=static"
            if by_debian; then echo "-C target-feature=+thumb-mode"; fi ;;
    esac
}

# The folders whose names every panic and every event of the log would carry along, cut off. Else the program would be
# larger the longer the path of a home directory, and tell whose it is.
paths() {
    local folder
    for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
        case $folder in *[[:space:]*]*) ;; *) printf ' --remap-path-prefix=%s=' "$folder" ;; esac
    done
}

# choose_rust CRATES TARGET…: sets `cargo_flags` and the environment; CRATES are of the standard library. cargo lets benches
# unwind; with `bench` set, they are built to abort as the program is where that can be told (Debian), else with tables.
choose_rust() {
    local crates=$1 target name flags
    shift
    cargo_flags=(--locked)
    unset RUSTC RUSTC_BOOTSTRAP
    if by_debian; then
        rust="Debian's $(/usr/bin/rustc --version), standard library from source"
        export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
        cargo_flags+=("-Zbuild-std=$crates" -Zpanic-abort-tests)
    else
        # shellcheck disable=SC2034
        rust="rustup's $(rustc --version), larger than by Debian's"
    fi
    for target in "$@"; do
        cargo_flags+=(--target "$target")
        name=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")
        flags=$(echo $(processor "$target") $(compact "$target"))
        case $target in
            *-linux-*)
                # The sources must be there to be named.
                (cd "$root" && cargo fetch --locked --quiet --target "$target" >&2)
                # A panic ends the program, so nothing ever walks the tables for unwinding, a sixth of it.
                if by_debian || [ -z "${bench:-}" ]; then flags+=" -C force-unwind-tables=no"; fi
                flags+=$(paths)
                # zig brings the start of a program itself.
                if by_debian; then flags+=" -C link-self-contained=no"; fi ;;
            *-none-*) if by_debian; then export "${name}_LINKER=ld.lld"; fi ;;
        esac
        export "${name}_RUSTFLAGS=$flags ${BUILD_RUSTFLAGS:-}"
    done
    # A stripped program has no names for a backtrace.
    case $1 in *-linux-*) if by_debian; then cargo_flags+=("-Zbuild-std-features=${BUILD_STD_FEATURES-optimize_for_size}"); fi ;; esac
}
