//! The rules that need no map of the house: first lines, lengths, limits, words and names.

use super::Source;
use super::order::floor;
use super::tokens::{LITERAL, Token, tokens};

/// Lines of a file. A file that needs more is two things.
const FILE_LINES_MAX: usize = 400;
/// Lines of a `mod tests` inside the file it tests.
const INLINE_TESTS_LINES_MAX: usize = 150;
/// Words of the comment on a limit: a unit and a reason do not fit in fewer.
const LIMIT_WORDS_MIN: usize = 4;

/// Parts of a constant's name that make it a limit.
const LIMIT_PARTS: [&str; 15] = [
    "MAX", "MIN", "MS", "SECS", "BYTES", "COUNT", "CAPACITY", "TIMEOUT", "INTERVAL", "PERIOD", "TTL", "LOW", "HIGH",
    "RATE", "LIMIT",
];
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "common", "helper", "helpers", "manager", "service", "services", "misc"];
/// Marks of unfinished work, written so that this file does not hold them.
const UNFINISHED: [&str; 5] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("db", "g!"), concat!("todo", "!(")];
/// Where packages come from is the builder's to say, not the project's.
const REGISTRIES: [&str; 9] = [
    concat!("//crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("//pypi", ".org"),
    concat!("//registry.npmjs", ".org"),
    concat!("//proxy.golang", ".org"),
    concat!("sparse", "+http"),
    concat!("registry", "+http"),
    concat!("replace", "-with"),
];
/// What floors 0 to 2 never do, as names and what the rule is.
const BELOW_THREE: [(&str, &str); 11] = [
    ("unwrap", "cannot panic"),
    ("expect", "cannot panic"),
    ("panic", "cannot panic"),
    ("unreachable", "cannot panic"),
    ("std", "need no operating system"),
    ("Instant", "read no clock"),
    ("SystemTime", "read no clock"),
    ("fastrand", "draw no randomness"),
    ("HashMap", "have no order that changes"),
    ("log", "log nothing"),
    ("println", "print nothing"),
];

pub fn check(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for source in sources {
        let mut complain = |line: usize, why: String| out.push(format!("{}:{line}: {why}", source.path));
        names(&source.path, &mut complain);
        words(source, &mut complain);
        if source.path.ends_with(".rs") {
            rust(source, &mut complain);
        }
    }
    out
}

fn names(path: &str, complain: &mut impl FnMut(usize, String)) {
    for part in path.split('/') {
        let stem = part.split('.').next().unwrap_or_default();
        if EMPTY_NAMES.contains(&stem) {
            complain(0, format!("the name `{stem}` says nothing"));
        }
    }
}

fn words(source: &Source, complain: &mut impl FnMut(usize, String)) {
    if source.path == "Cargo.lock" || source.path.ends_with("/Cargo.lock") {
        return;
    }
    for (at, line) in source.text.lines().enumerate() {
        if let Some(word) = UNFINISHED.iter().find(|word| line.contains(**word)) {
            complain(at + 1, format!("`{word}` is left"));
        }
        if let Some(host) = REGISTRIES.iter().find(|host| line.contains(**host)) {
            complain(at + 1, format!("`{host}` names a package registry"));
        }
    }
    let code = [".rs", ".toml", ".sh"].iter().any(|end| source.path.ends_with(end)) || source.path.starts_with(".ci/");
    let lines = source.text.lines().count();
    if code && lines > FILE_LINES_MAX {
        complain(lines, format!("{lines} lines, {FILE_LINES_MAX} at most"));
    }
}

fn rust(source: &Source, complain: &mut impl FnMut(usize, String)) {
    if !source.text.starts_with("//! ") {
        complain(1, "the first line must say what the file is for (`//! …`)".into());
    }
    let tokens = tokens(&source.text);
    let tests = inline_tests(&tokens);
    let is_test = |at: usize| tests.iter().any(|(from, to)| (*from..*to).contains(&at));
    for (from, to) in &tests {
        let lines = tokens[*to - 1].line - tokens[*from].line;
        if lines > INLINE_TESTS_LINES_MAX {
            complain(tokens[*from].line, format!("{lines} lines of tests belong in a file of their own"));
        }
    }
    let test_file = !source.path.starts_with("src/") || source.path.contains("/tests");
    let folder = source.path.strip_prefix("src/").and_then(|path| path.split('/').next()).unwrap_or_default();
    let low = floor(folder).is_some_and(|floor| floor < 3) && !test_file;
    for (at, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.text.as_str());
        if token.text == "feature" && next(1) == "=" && next(2) == LITERAL && source.path != "src/lib.rs" {
            complain(token.line, "features are for src/lib.rs alone".into());
        }
        if token.text == "const" && is_limit(next(1)) && next(2) == ":" && !test_file && !is_test(at) {
            let words = comment_words(&source.text, token.line);
            if words < LIMIT_WORDS_MIN {
                complain(token.line, format!("the limit {} needs a comment with unit and reason", next(1)));
            }
        }
        if low && !is_test(at) {
            let before = at.checked_sub(1).map_or("", |at| tokens[at].text.as_str());
            for (name, rule) in BELOW_THREE {
                let used = match name {
                    "unwrap" | "expect" => before == "." && next(1) == "(",
                    "panic" | "unreachable" | "println" => next(1) == "!",
                    "std" | "log" | "fastrand" => next(1) == "::" && before != "::",
                    _ => true,
                };
                if token.text == name && used {
                    complain(token.line, format!("`{name}`: floors 0 to 2 {rule}"));
                }
            }
        }
    }
}

/// Inline `mod tests` blocks, as ranges of tokens.
fn inline_tests(tokens: &[Token]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    for (at, window) in tokens.windows(3).enumerate() {
        if window[0].text == "mod" && window[1].text == "tests" && window[2].text == "{" {
            let mut depth = 0;
            let end = tokens[at..].iter().position(|token| {
                depth += i32::from(token.text == "{") - i32::from(token.text == "}");
                token.text == "}" && depth == 0
            });
            out.push((at, end.map_or(tokens.len(), |end| at + end + 1)));
        }
    }
    out
}

fn is_limit(name: &str) -> bool {
    let unit = name.ends_with("_S") || name.split('_').any(|part| LIMIT_PARTS.contains(&part));
    unit && name.to_uppercase() == name
}

/// Words of the `///` comment above a line, attributes between them aside.
fn comment_words(text: &str, line: usize) -> usize {
    let above: Vec<_> = text.lines().take(line - 1).map(str::trim).collect();
    above
        .iter()
        .rev()
        .skip_while(|line| line.starts_with("#["))
        .map_while(|line| line.strip_prefix("///"))
        .map(|line| line.split_whitespace().count())
        .sum()
}
