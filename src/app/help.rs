//! The pages of `--help`, made from the tables of commands and options so that they cannot disagree.

use super::arguments::{FLAGS, Flag, VERBS, Verb};
use super::exit::CODES;
use std::fmt::Write;

/// What the chat itself understands.
pub(crate) const CONVERSATION: &str =
    "On a line of its own: /peers /rooms /join /leave /nick /dm /status /help /quit; //text sends /text.";

/// The version as `--version` prints it.
pub(crate) fn version() -> String {
    format!("stonechat {}", env!("CARGO_PKG_VERSION"))
}

/// The page of the program, or of one command.
pub(crate) fn page(verb: Option<Verb>) -> String {
    let mut page = String::new();
    match verb {
        None => {
            page.push_str("stonechat: a small chat peer. Start it on two machines of one network and they talk.\n\n");
            page.push_str("Usage: stonechat [COMMAND] [OPTIONS]      (without a command: chat)\n\nCommands:\n");
            for (_, name, what) in VERBS {
                let _ = writeln!(page, "  {name:<10} {what}");
            }
        }
        Some(verb) => {
            let what = VERBS.iter().find(|(known, ..)| *known == verb).map_or("", |(.., what)| what);
            let _ = writeln!(page, "{what}.\n\nUsage: stonechat {}{}", verb.name(), words(verb));
        }
    }
    page.push_str("\nOptions:\n");
    for flag in FLAGS.iter().filter(|flag| verb.is_none_or(|verb| flag.verbs.contains(&verb))) {
        let mut line = format!("  {:<26} {}", spelled(flag), flag.what);
        if flag.many && flag.value.is_some() && verb != Some(Verb::Send) {
            line.push_str("; again for more");
        }
        let _ = writeln!(page, "{line}");
    }
    if verb.is_none() {
        page.push_str("  -V, --version              the version\n");
        page.push_str("\nstonechat COMMAND --help tells which options a command takes.\n");
    }
    if verb == Some(Verb::Chat) {
        let _ = writeln!(page, "\n{CONVERSATION}");
    }
    let _ = write!(page, "\n{CODES}");
    page
}

/// What follows a command.
pub(crate) fn words(verb: Verb) -> &'static str {
    match verb {
        Verb::Send => " [OPTIONS] [TEXT…]",
        Verb::Dm => " [OPTIONS] PEER TEXT…",
        Verb::Man => "",
        Verb::Completions => " bash|zsh|fish",
        _ => " [OPTIONS]",
    }
}

/// An option with its short form and its value.
pub(crate) fn spelled(flag: &Flag) -> String {
    let mut spelled = match flag.short {
        Some(short) => format!("-{short}, --{}", flag.long),
        None => format!("--{}", flag.long),
    };
    if let Some(value) = flag.value {
        let _ = write!(spelled, " {value}");
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_names_what_the_command_takes_and_nothing_else() {
        let program = page(None);
        for (verb, name, _) in VERBS {
            assert!(program.contains(&format!("\n  {name} ")), "{name}");
            let own = page(Some(*verb));
            for flag in FLAGS {
                let named = own.contains(&format!("--{} ", flag.long));
                assert_eq!(named, flag.verbs.contains(verb), "--{} in the page of {name}", flag.long);
            }
        }
        assert!(program.lines().all(|line| line.chars().count() <= 120), "{program}");
    }
}
