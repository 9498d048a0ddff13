//! What a person types into the chat.

use super::nearest::nearest;

/// The commands of the chat: name, what follows, what they do.
pub(crate) const COMMANDS: &[(&str, &str, &str)] = &[
    ("peers", "", "who is connected"),
    ("rooms", "", "the rooms, and how many are in them"),
    ("join", "ROOM", "join a room, and talk there from now on"),
    ("leave", "[ROOM]", "leave a room (this one)"),
    ("nick", "NAME", "be called otherwise"),
    ("dm", "PEER TEXT", "say it to one alone, in a room uc:; the end of the peer id will do"),
    ("status", "", "how far this peer came in joining, and why"),
    ("help", "", "this list"),
    ("quit", "", "end"),
];

/// A typed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// To be said in the room.
    Text(String),
    Peers,
    Rooms,
    Join(String),
    Leave(Option<String>),
    Nick(String),
    /// To one peer alone.
    Dm(String, String),
    Status,
    Help,
    Quit,
    /// Nothing.
    Empty,
    /// Not understood: a sentence.
    Wrong(String),
}

/// Reads a typed line. `//` at its start stands for one slash that is meant.
pub(crate) fn parse(line: &str) -> Typed {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return match line.is_empty() {
            true => Typed::Empty,
            false => Typed::Text(line.to_string()),
        };
    };
    if command.starts_with('/') {
        return Typed::Text(command.to_string());
    }
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    let bare = |typed| match rest.is_empty() {
        true => typed,
        false => Typed::Wrong(format!("/{name} stands alone: begin with // to say a line with a slash")),
    };
    match (name, rest) {
        ("peers", _) => bare(Typed::Peers),
        ("rooms", _) => bare(Typed::Rooms),
        ("status", _) => bare(Typed::Status),
        ("help", _) => bare(Typed::Help),
        ("quit", _) => bare(Typed::Quit),
        ("join", "") => Typed::Wrong("/join ROOM: which room?".into()),
        ("join", room) => Typed::Join(room.into()),
        ("leave", "") => Typed::Leave(None),
        ("leave", room) => Typed::Leave(Some(room.into())),
        ("nick", "") => Typed::Wrong("/nick NAME: which name?".into()),
        ("nick", nick) => Typed::Nick(nick.into()),
        ("dm", rest) => match rest.split_once(char::is_whitespace) {
            Some((peer, text)) => Typed::Dm(peer.into(), text.trim().into()),
            None => Typed::Wrong("/dm PEER TEXT: to whom, and what?".into()),
        },
        _ => Typed::Wrong(match nearest(name, COMMANDS.iter().map(|(name, ..)| *name)) {
            Some(nearest) => format!("there is no /{name}: did you mean /{nearest}?"),
            None => format!("there is no /{name}: /help lists the commands, // begins a line with a slash"),
        }),
    }
}

/// The list of `/help`.
pub(crate) fn help() -> Vec<String> {
    let line = |(name, rest, what): &(&str, &str, &str)| format!("{:<14} {what}", format!("/{name} {rest}"));
    let own = COMMANDS.iter().map(line);
    own.chain(["//TEXT         say /TEXT".to_string()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_said_and_commands_are_done() {
        let text = |text: &str| Typed::Text(text.into());
        for (line, typed) in [
            ("hello there", text("hello there")),
            ("  hello  ", text("hello")),
            ("a/b", text("a/b")),
            ("//etc/passwd", text("/etc/passwd")),
            ("//", text("/")),
            ("", Typed::Empty),
            ("   ", Typed::Empty),
            ("/peers", Typed::Peers),
            (" /rooms ", Typed::Rooms),
            ("/join  the attic ", Typed::Join("the attic".into())),
            ("/leave", Typed::Leave(None)),
            ("/leave attic", Typed::Leave(Some("attic".into()))),
            ("/nick ann", Typed::Nick("ann".into())),
            ("/dm  AbCdEf  hi there", Typed::Dm("AbCdEf".into(), "hi there".into())),
            ("/status", Typed::Status),
            ("/help", Typed::Help),
            ("/quit", Typed::Quit),
        ] {
            assert_eq!(parse(line), typed, "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_never_said_aloud() {
        for line in ["/join", "/nick", "/dm", "/dm AbCdEf", "/qiut", "/", "/xyzzy", "/quit now", "/peers all"] {
            assert!(matches!(parse(line), Typed::Wrong(_)), "{line}");
        }
        assert_eq!(parse("/qiut"), Typed::Wrong("there is no /qiut: did you mean /quit?".into()));
    }

    #[test]
    fn help_names_every_command() {
        let help = help().join("\n");
        assert!(COMMANDS.iter().all(|(name, ..)| help.contains(&format!("/{name} "))), "{help}");
    }
}
