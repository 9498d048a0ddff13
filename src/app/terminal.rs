//! The two ends of a conversation: a line editor on a terminal, or plain lines.

use super::editor::Editor;
use super::exit::Failure;
use super::lines::{Line, LineReader};
use super::stdio::{Input, Output};
use std::io::{self, IsTerminal};

/// Bytes of a typed or piped line: longer ones are refused unread. Well above what one message may have, so that
/// the peer can say what that is.
pub(crate) const TYPED_BYTES_MAX: usize = 16_384;

/// Where lines come from and go to.
pub(crate) enum Terminal {
    /// Standard input and output are a terminal.
    Editor(Box<Editor>),
    /// One of them is not.
    Plain(LineReader<Input>, Output),
}

impl Terminal {
    /// A line editor if a person sits there, else plain lines.
    pub(crate) fn open() -> Result<Self, Failure> {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            match Editor::start() {
                Ok(editor) => return Ok(Self::Editor(Box::new(editor))),
                Err(error) => log::info!("no line editor here ({error}): plain lines"),
            }
        }
        let broken = |error| Failure::failed(format!("cannot read standard input ({error}): see where it comes from"));
        let input = LineReader::new(Input::stdin().map_err(broken)?, TYPED_BYTES_MAX);
        Ok(Self::Plain(input, Output::stdout().map_err(Failure::output)?))
    }

    /// Whether a person sits there.
    pub(crate) fn is_editor(&self) -> bool {
        matches!(self, Self::Editor(_))
    }

    /// The next line; none at the end.
    pub(crate) async fn next(&mut self, prompt: &str) -> Result<Option<Line>, Failure> {
        match self {
            Self::Editor(editor) => Ok(editor.next(prompt).await.map(Line::Text)),
            Self::Plain(input, _) => input
                .next()
                .await
                .map_err(|error| Failure::failed(format!("cannot read standard input ({error}): end it properly"))),
        }
    }

    /// Shows a line of the conversation.
    pub(crate) async fn show(&mut self, line: String) -> Result<(), Failure> {
        match self {
            Self::Editor(editor) => editor.show(line),
            Self::Plain(_, output) => output.line(&line).await.map_err(Failure::output)?,
        }
        Ok(())
    }
}
