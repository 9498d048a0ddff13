//! Completion of commands and options in bash, zsh and fish, made from the same tables as `--help`.

use super::arguments::{FLAGS, Flag, VERBS, Verb};
use super::nearest::suggest;
use crate::base::board::BOARDS;
use crate::node::wall::CLOCKS;
use std::fmt::Write;

/// A shell: its name and the script for it.
type Shell = (&'static str, fn() -> String);

const SHELLS: [Shell; 3] = [("bash", bash), ("zsh", zsh), ("fish", fish)];

/// The script for the shell that the command line names.
pub(crate) fn script(words: &[String]) -> Result<String, String> {
    let names = shells();
    match words {
        [name] => match SHELLS.iter().find(|(shell, _)| shell == name) {
            Some((_, script)) => Ok(script()),
            None => Err(format!("there is no completion for `{name}`: {}", suggest(name, &names))),
        },
        _ => Err(format!("completions needs the name of one shell: {}", names.join(", "))),
    }
}

fn shells() -> Vec<&'static str> {
    SHELLS.iter().map(|(name, _)| *name).collect()
}

/// What may stand as an option's value.
enum Value {
    None,
    Board,
    Clock,
    Dir,
    File,
    Free,
}

fn value(flag: &Flag) -> Value {
    match (flag.value, flag.long) {
        (None, _) => Value::None,
        (_, "board") => Value::Board,
        (_, "clock") => Value::Clock,
        (_, "dir") => Value::Dir,
        (_, "config" | "socket") => Value::File,
        _ => Value::Free,
    }
}

fn boards() -> String {
    BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().join(" ")
}

fn verbs() -> String {
    VERBS.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(" ")
}

fn of(verb: Verb) -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(move |flag| flag.verbs.contains(&verb))
}

/// The options of a command with their dashes; for a shell's sake also what else may follow the command.
fn words(verb: Verb) -> String {
    let mut words: Vec<String> = of(verb).map(|flag| format!("--{}", flag.long)).collect();
    words.extend(of(verb).filter_map(|flag| flag.short).map(|short| format!("-{short}")));
    if verb == Verb::Completions {
        words.extend(shells().iter().map(ToString::to_string));
    }
    words.join(" ")
}

/// The options whose value `wanted` picks, as a pattern of `case`.
fn pattern(wanted: fn(&Value) -> bool) -> String {
    let names = FLAGS.iter().filter(|flag| wanted(&value(flag))).map(|flag| format!("--{}", flag.long));
    names.collect::<Vec<_>>().join(" | ")
}

fn bash() -> String {
    let mut script = format!(
        r#"# Completion of stonechat for bash.
_stonechat() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} verb="" words at
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${{COMP_WORDS[at]}} in
            {}) ((at++)) ;;
            -*) ;;
            *) verb=${{COMP_WORDS[at]}}; break ;;
        esac
    done
    case $before in
        {}) mapfile -t COMPREPLY < <(compgen -W "{}" -- "$word"); return ;;
        {}) mapfile -t COMPREPLY < <(compgen -W "{}" -- "$word"); return ;;
        {}) compopt -o filenames 2>/dev/null || :; mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
        {}) compopt -o filenames 2>/dev/null || :; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        {}) return ;;
    esac
    case $verb in
        "") words="{} {} --version" ;;
"#,
        pattern(|value| !matches!(value, Value::None)),
        pattern(|value| matches!(value, Value::Board)),
        boards(),
        pattern(|value| matches!(value, Value::Clock)),
        CLOCKS.join(" "),
        pattern(|value| matches!(value, Value::Dir)),
        pattern(|value| matches!(value, Value::File)),
        pattern(|value| matches!(value, Value::Free)),
        verbs(),
        words(Verb::Chat),
    );
    for (verb, name, _) in VERBS {
        let _ = writeln!(script, "        {name}) words=\"{}\" ;;", words(*verb));
    }
    script.push_str(
        r#"        *) return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _stonechat stonechat
"#,
    );
    script
}

/// Text inside single quotes, where zsh's `_arguments` reads brackets and colons.
fn zsh_text(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "'\\''");
    text.replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

fn zsh() -> String {
    let mut script = format!(
        r#"#compdef stonechat
# Completion of stonechat for zsh.
_stonechat() {{
    local verb="" at
    local -a verbs
    for ((at = 2; at < CURRENT; at++)); do
        case $words[at] in
            {}) ((at++)) ;;
            -*) ;;
            *) verb=$words[at]; break ;;
        esac
    done
    verbs=(
"#,
        pattern(|value| !matches!(value, Value::None))
    );
    for (_, name, what) in VERBS {
        let _ = writeln!(script, "        '{name}:{}'", what.replace('\'', "'\\''"));
    }
    script.push_str(
        r#"    )
    if [[ -z $verb && $words[CURRENT] != -* && $words[CURRENT-1] != --* ]]; then
        _describe command verbs
        return
    fi
    case ${verb:-chat} in
"#,
    );
    for (verb, name, _) in VERBS {
        let _ = writeln!(script, "        {name}) _arguments \\");
        if *verb == Verb::Chat {
            let _ = writeln!(script, "            '--version[the version]' '-V[the version]' \\");
        }
        for flag in of(*verb) {
            let many = if flag.many { "*" } else { "" };
            let values = match value(flag) {
                Value::None => String::new(),
                Value::Board => format!(":board:({})", boards()),
                Value::Clock => format!(":clock:({})", CLOCKS.join(" ")),
                Value::Dir => ":directory:_files -/".into(),
                Value::File => ":file:_files".into(),
                Value::Free => format!(":{}: ", flag.value.unwrap_or_default()),
            };
            let what = zsh_text(flag.what);
            let short = flag.short.map(|short| format!("-{short}"));
            for spelled in std::iter::once(format!("--{}", flag.long)).chain(short) {
                let _ = writeln!(script, "            '{many}{spelled}[{what}]{values}' \\");
            }
        }
        let rest = if *verb == Verb::Completions { format!("({})", shells().join(" ")) } else { " ".into() };
        let _ = writeln!(script, "            '*:word:{rest}' ;;");
    }
    script.push_str(
        r#"    esac
}
if [[ $funcstack[1] == _stonechat ]]; then _stonechat "$@"; else compdef _stonechat stonechat; fi
"#,
    );
    script
}

fn fish() -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let none = format!("not __fish_seen_subcommand_from {}", verbs());
    let mut script = "# Completion of stonechat for fish.\ncomplete -c stonechat -f\n".to_string();
    for (_, name, what) in VERBS {
        let _ = writeln!(script, "complete -c stonechat -n '{none}' -a {name} -d {}", quoted(what));
    }
    let _ = writeln!(script, "complete -c stonechat -n '{none}' -l version -s V -d 'the version'");
    let shells = shells().join(" ");
    let _ =
        writeln!(script, "complete -c stonechat -n '__fish_seen_subcommand_from completions' -a '{shells}' -d shell");
    for flag in FLAGS {
        let names: Vec<&str> =
            VERBS.iter().filter(|(verb, ..)| flag.verbs.contains(verb)).map(|(_, name, _)| *name).collect();
        let seen = format!("__fish_seen_subcommand_from {}", names.join(" "));
        let when = if flag.verbs.contains(&Verb::Chat) { format!("{none}; or {seen}") } else { seen };
        let short = flag.short.map_or(String::new(), |short| format!(" -s {short}"));
        let values = match value(flag) {
            Value::None => String::new(),
            Value::Board => format!(" -xa '{}'", boards()),
            Value::Clock => format!(" -xa '{}'", CLOCKS.join(" ")),
            Value::Dir => " -xa '(__fish_complete_directories)'".into(),
            Value::File => " -rF".into(),
            Value::Free => " -x".into(),
        };
        let _ = writeln!(
            script,
            "complete -c stonechat -n '{when}' -l {}{short}{values} -d {}",
            flag.long,
            quoted(flag.what)
        );
    }
    script
}
