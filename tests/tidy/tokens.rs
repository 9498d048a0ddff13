//! Just enough of a Rust lexer: names and signs with their lines; comments gone, literals reduced to a mark.

/// What stands for a string, byte string or character literal.
pub const LITERAL: &str = "\"";

/// A name, a number, `::`, one sign, or [`LITERAL`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub line: usize,
    pub text: String,
}

/// The tokens of a Rust text.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0, line: 1 };
    let mut out = Vec::new();
    while let Some(sign) = lexer.peek(0) {
        let line = lexer.line;
        let text = match (sign, lexer.peek(1)) {
            ('/', Some('/')) => {
                lexer.skip_while(|sign| sign != '\n');
                continue;
            }
            ('/', Some('*')) => {
                lexer.skip_comment();
                continue;
            }
            ('"', _) => lexer.skip_string(),
            ('\'', _) => match lexer.skip_quote() {
                Some(mark) => mark,
                None => continue,
            },
            (':', Some(':')) => {
                lexer.skip(2);
                "::".into()
            }
            (sign, _) if sign.is_alphanumeric() || sign == '_' => lexer.name_or_raw_string(),
            (sign, _) => {
                lexer.skip(1);
                if sign.is_whitespace() {
                    continue;
                }
                sign.to_string()
            }
        };
        out.push(Token { line, text });
    }
    out
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.line += usize::from(self.peek(0) == Some('\n'));
            self.at += 1;
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek(0).is_some_and(&wanted) {
            self.skip(1);
        }
        self.chars[from..self.at].iter().collect()
    }

    fn skip_comment(&mut self) {
        let mut depth = 0;
        while let Some(sign) = self.peek(0) {
            match (sign, self.peek(1)) {
                ('/', Some('*')) => (depth, self.at) = (depth + 1, self.at + 1),
                ('*', Some('/')) => (depth, self.at) = (depth - 1, self.at + 1),
                _ => {}
            }
            self.skip(1);
            if depth == 0 {
                return;
            }
        }
    }

    fn skip_string(&mut self) -> String {
        self.skip(1);
        while let Some(sign) = self.peek(0) {
            self.skip(if sign == '\\' { 2 } else { 1 });
            if sign == '"' {
                break;
            }
        }
        LITERAL.into()
    }

    /// A character literal, or a lifetime, which is dropped.
    fn skip_quote(&mut self) -> Option<String> {
        if self.peek(1) == Some('\\') {
            self.skip(3);
            self.skip_while(|sign| sign != '\'');
            self.skip(1);
            return Some(LITERAL.into());
        }
        if self.peek(2) == Some('\'') {
            self.skip(3);
            return Some(LITERAL.into());
        }
        self.skip(1);
        self.skip_while(|sign| sign.is_alphanumeric() || sign == '_');
        None
    }

    fn name_or_raw_string(&mut self) -> String {
        let name = self.skip_while(|sign| sign.is_alphanumeric() || sign == '_');
        let raw = matches!(name.as_str(), "r" | "br" | "cr");
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        match self.peek(hashes) {
            Some('"') if raw => {
                self.skip(hashes + 1);
                while self.peek(0).is_some() {
                    let closed = self.peek(0) == Some('"') && (1..=hashes).all(|n| self.peek(n) == Some('#'));
                    self.skip(if closed { hashes + 1 } else { 1 });
                    if closed {
                        break;
                    }
                }
                LITERAL.into()
            }
            Some('"') if hashes == 0 && matches!(name.as_str(), "b" | "c") => self.skip_string(),
            Some('\'') if hashes == 0 && name == "b" => self.skip_quote().unwrap_or(name),
            Some(_) if hashes == 1 && name == "r" => {
                self.skip(1);
                self.skip_while(|sign| sign.is_alphanumeric() || sign == '_')
            }
            _ => name,
        }
    }
}
