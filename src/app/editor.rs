//! The line editor on its own thread, so that a line being typed never waits for the node, nor the node for it.
//!
//! rustyline shows lines of others above the line being typed by its `ExternalPrinter`, whose `print` blocks while
//! an earlier text has not been shown yet, and during a search in the history (Ctrl-R) nothing is shown. The node
//! runs on our thread, so we print only when the earlier text is known to be on the screen: rustyline draws the
//! prompt anew after it, and tells its highlighter. Until then lines wait in the [`Backlog`].

use super::backlog::{Backlog, EDITOR_THREAD};
use super::logging;
use super::typed::COMMANDS;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::completion::Completer;
use rustyline::config::CompletionType;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, ExternalPrinter, Helper};
use smol::channel::{Receiver, Sender};
use smol::future::FutureExt;
use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Typed lines kept for the arrow keys. rustyline's default.
const TYPED_LINES_MAX: usize = 100;
/// Puts the cursor at the start of an emptied line and ends bracketed paste, as rustyline does at a line's end.
const LEAVE_LINE: &[u8] = b"\r\x1b[K\x1b[?2004l";

/// A terminal with a line editor.
pub(crate) struct Editor {
    prompts: Sender<String>,
    typed: Receiver<Option<String>>,
    printer: Box<dyn ExternalPrinter + Send>,
    backlog: Backlog,
    bell: Receiver<()>,
    /// A text was given to rustyline and is not on the screen yet.
    showing: Arc<AtomicBool>,
    /// The editor waits for keys; else it waits for a prompt.
    typing: bool,
    /// The terminal as we found it.
    found: Termios,
}

impl Editor {
    /// Takes the terminal. An error means that it is too simple for a line editor.
    pub(crate) fn start() -> Result<Self, ReadlineError> {
        let found = tcgetattr(io::stdin()).map_err(io::Error::from)?;
        let config = Config::builder()
            .max_history_size(TYPED_LINES_MAX)?
            .auto_add_history(true)
            .completion_type(CompletionType::List)
            .build();
        let mut editor = rustyline::Editor::with_history(config.clone(), MemHistory::with_config(&config))?;
        let printer = Box::new(editor.create_external_printer()?);
        let (prompts, prompted) = smol::channel::bounded::<String>(1);
        let (typist, typed) = smol::channel::bounded(1);
        let (backlog, bell) = Backlog::new(typed.clone());
        let showing = Arc::new(AtomicBool::new(false));
        editor.set_helper(Some(Watch { showing: showing.clone(), backlog: backlog.clone() }));
        let edit = move || {
            while let Ok(prompt) = prompted.recv_blocking() {
                // Ctrl-C and Ctrl-D end the chat; so does a terminal that is gone.
                let line = editor.readline(&prompt).ok();
                if typist.send_blocking(line).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name(EDITOR_THREAD.into()).spawn(edit)?;
        let (terminal, earlier) = (found.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &terminal);
            earlier(panic);
        }));
        logging::divert(Some(backlog.clone()));
        Ok(Self { prompts, typed, printer, backlog, bell, showing, typing: false, found })
    }

    /// The next typed line; none when the person wants to end. Until then, shows what is to be shown.
    pub(crate) async fn next(&mut self, prompt: &str) -> Option<String> {
        if !self.typing {
            self.flush();
            self.typing = self.prompts.try_send(prompt.to_string()).is_ok();
        }
        loop {
            let typed = async { Some(self.typed.recv().await) };
            let rung = async {
                let _ = self.bell.recv().await;
                None
            };
            match typed.or(rung).await {
                Some(line) => {
                    self.typing = false;
                    return line.ok().flatten();
                }
                None => self.flush(),
            }
        }
    }

    /// A line to be shown.
    pub(crate) fn show(&self, line: String) {
        self.backlog.add(line);
    }

    fn flush(&mut self) {
        if self.typing && self.showing.load(Ordering::Acquire) {
            return;
        }
        if let Some(text) = self.backlog.take() {
            self.showing.store(self.typing, Ordering::Release);
            let _ = self.printer.print(text);
        }
    }
}

impl Drop for Editor {
    /// Gives the terminal back as we found it: the thread may be in the middle of a line and is not waited for.
    fn drop(&mut self) {
        logging::divert(None);
        let mut stdout = io::stdout().lock();
        if self.typing {
            let _ = stdout.write_all(LEAVE_LINE);
        }
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.found);
        if let Some(text) = self.backlog.take() {
            let _ = stdout.write_all(text.as_bytes());
        }
        let _ = stdout.flush();
    }
}

/// Watches the line being typed: completes commands, and notices when a text is on the screen.
struct Watch {
    showing: Arc<AtomicBool>,
    backlog: Backlog,
}

impl Highlighter for Watch {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, default: bool) -> Cow<'b, str> {
        // Another prompt than ours is that of a search, in which nothing is shown.
        if default && self.showing.swap(false, Ordering::AcqRel) {
            self.backlog.ring();
        }
        Cow::Borrowed(prompt)
    }
}

impl Completer for Watch {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let Some(start) = line.get(..pos).and_then(|start| start.strip_prefix('/')) else { return Ok((0, vec![])) };
        let fitting = COMMANDS.iter().filter(|(name, ..)| name.starts_with(start));
        Ok((1, fitting.map(|(name, ..)| name.to_string()).collect()))
    }
}

impl Hinter for Watch {
    type Hint = String;
}

impl Validator for Watch {}
impl Helper for Watch {}
