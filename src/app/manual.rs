//! The manual page in roff, made from the tables of commands and options like the pages of `--help`.

use super::arguments::{FLAGS, VERBS, Verb};
use super::exit::CODES;
use super::help::{CONVERSATION, spelled, version, words};
use std::fmt::Write;

/// Files, as roff with its escapes.
const FILES: &str = r"
.SH FILES
.TP
\fI$XDG_DATA_HOME/stonechat\fR, \fI\(ti/.local/share/stonechat\fR, for root \fI/var/lib/stonechat\fR
The directory: identity.key, lock, peers, stamp, control.sock.
.TP
\fI$XDG_CONFIG_HOME/stonechat/config.toml\fR, \fI\(ti/.config/stonechat/config.toml\fR, for root \fI/etc/stonechat/config.toml\fR
The configuration. It holds what the options hold, and an option wins.
.TP
\fI/run/stonechat/control.sock\fR
The control socket of the system's service. Commands use it where no peer of the user answers.
.SH ENVIRONMENT
.TP
\fBRUST_LOG\fR
Says more exactly what \-v and \-q say.
.TP
\fBNOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR, \fBWATCHDOG_PID\fR
Set by systemd: it is told when the peer is ready, what it does, that it lives and when it stops.
";

/// The page.
pub(crate) fn page() -> String {
    let mut page = format!(
        ".TH STONECHAT 1 \"\" \"{}\" \"User Commands\"\n\
         .SH NAME\nstonechat \\- a small chat peer on libp2p\n\
         .SH SYNOPSIS\n\\fBstonechat\\fR [\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]\n\
         .SH DESCRIPTION\nStart it on two machines of one network and they talk: no server, no account, no \
         configuration. Without a command it is \\fBchat\\fR.\n\
         .SH COMMANDS\n",
        roff(&version())
    );
    for (verb, name, what) in VERBS {
        let _ = writeln!(page, ".TP\n\\fB{}\\fR{}\n{}.", roff(name), roff(words(*verb)), roff(what));
        let own: Vec<String> = FLAGS
            .iter()
            .filter(|flag| flag.verbs.contains(verb) && flag.long != "help")
            .map(|flag| roff(&format!("--{}", flag.long)))
            .collect();
        if !own.is_empty() {
            let _ = writeln!(page, ".br\nOptions: {}.", own.join(", "));
        }
        if *verb == Verb::Chat {
            let _ = writeln!(page, ".br\n{}", roff(CONVERSATION));
        }
    }
    page.push_str(".SH OPTIONS\n");
    for flag in FLAGS {
        let again = if flag.many && flag.value.is_some() { "; again for more" } else { "" };
        let _ = writeln!(page, ".TP\n\\fB{}\\fR\n{}{again}.", roff(&spelled(flag)), roff(flag.what));
    }
    page.push_str(".TP\n\\fB\\-V, \\-\\-version\\fR\nthe version.\n");
    let codes: Vec<&str> = CODES.split_whitespace().collect();
    let _ = writeln!(page, ".SH EXIT STATUS\n{}", roff(&codes.join(" ")));
    page.push_str(FILES.trim_start());
    page
}

/// Text as roff shows it unchanged.
fn roff(text: &str) -> String {
    let mut out = String::new();
    for (at, letter) in text.chars().enumerate() {
        match letter {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '.' | '\'' if at == 0 => {
                let _ = write!(out, "\\&{letter}");
            }
            ' '..='~' => out.push(letter),
            other => {
                let _ = write!(out, "\\[u{:04X}]", u32::from(other));
            }
        }
    }
    out
}
