//! Floors and reading order: a file uses lower floors, and of its own folder only what is declared above it.

use super::Source;
use super::tokens::{Token, tokens};
use std::collections::BTreeMap;

/// The floors of the house. Two folders on one floor do not know each other.
const FLOORS: [(&str, u32); 10] = [
    ("base", 0),
    ("wire", 1),
    ("chat", 2),
    ("compat", 2),
    ("gossip", 2),
    ("net", 3),
    ("store", 3),
    ("swarm", 4),
    ("node", 5),
    ("app", 6),
];

/// `crate::net::tcp` as `["net", "tcp"]`.
type Module = Vec<String>;

/// A path somewhere in the text of a module.
struct Reference {
    line: usize,
    from: Module,
    segments: Vec<String>,
    /// The name it is known by afterwards, where it stands in a `use`.
    name: Option<String>,
}

#[derive(Default)]
struct House {
    /// Every module and its children in the order of their declaration.
    children: BTreeMap<Module, Vec<String>>,
    /// What a `use` in a module made known there, by name.
    imports: BTreeMap<(Module, String), Vec<String>>,
}

/// The floor of a folder directly under `src`.
pub fn floor(folder: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == folder).map(|(_, floor)| *floor)
}

pub fn check(sources: &[Source]) -> Vec<String> {
    let mut house = House::default();
    let mut references = Vec::new();
    for source in sources {
        if let Some(module) = module_of(&source.path) {
            house.children.entry(module.clone()).or_default();
            read(&source.path, &module, &tokens(&source.text), &mut house, &mut references);
        }
    }
    for (_, reference) in &references {
        if let (Some(name), Some(path)) = (&reference.name, house.absolute(reference)) {
            house.imports.insert((reference.from.clone(), name.clone()), path);
        }
    }
    let mut out = Vec::new();
    for (path, reference) in &references {
        if let Some(why) = house.refuse(reference) {
            out.push(format!("{path}:{}: {why}", reference.line));
        }
    }
    out.extend(sources.iter().filter_map(|source| undeclared(&house, source)));
    out.extend(sources.iter().filter_map(|source| header(&house, &references, source)));
    out
}

/// `src/net/tcp.rs` and `src/net/tcp/mod.rs` are both `net::tcp`. The program itself may use everything.
fn module_of(path: &str) -> Option<Module> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    match inner {
        "main" => None,
        "lib" => Some(vec![]),
        _ => Some(inner.split('/').map(String::from).collect()),
    }
}

fn read(path: &str, file: &Module, tokens: &[Token], house: &mut House, out: &mut Vec<(String, Reference)>) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    // Inline modules that are open, with the depth of braces they were opened at.
    let mut open: Vec<usize> = Vec::new();
    let (mut module, mut depth, mut at) = (file.clone(), 0, 0);
    while at < tokens.len() {
        let line = tokens[at].line;
        match text(at) {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if open.last() == Some(&depth) {
                    open.pop();
                    module.pop();
                }
            }
            "mod" if matches!(text(at + 2), ";" | "{") => {
                house.children.entry(module.clone()).or_default().push(text(at + 1).into());
                if text(at + 2) == "{" {
                    module.push(text(at + 1).into());
                    house.children.entry(module.clone()).or_default();
                    open.push(depth);
                    depth += 1;
                }
                at += 2;
            }
            "use" if text(at + 1) != "<" => {
                let mut paths = Vec::new();
                at = tree(tokens, at + 1, Vec::new(), &mut paths);
                out.extend(paths.into_iter().map(|(segments, name)| {
                    (path.to_string(), Reference { line, from: module.clone(), segments, name: Some(name) })
                }));
                continue;
            }
            "crate" | "super" | "self" if text(at + 1) == "::" && text(at.wrapping_sub(1)) != "::" => {
                let mut paths = Vec::new();
                at = tree(tokens, at, Vec::new(), &mut paths);
                out.extend(paths.into_iter().map(|(segments, _)| {
                    (path.to_string(), Reference { line, from: module.clone(), segments, name: None })
                }));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Reads the path or the tree of paths at `at`: each with the name it ends as. Returns where it ends.
fn tree(tokens: &[Token], mut at: usize, mut prefix: Vec<String>, out: &mut Vec<(Vec<String>, String)>) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    if text(at) == "::" {
        // A crate's own name, not one of ours.
        prefix.push("::".into());
        at += 1;
    }
    loop {
        match text(at) {
            "{" => {
                at += 1;
                while !matches!(text(at), "}" | "") {
                    at = tree(tokens, at, prefix.clone(), out);
                    at += usize::from(text(at) == ",");
                }
                return at + 1;
            }
            "self" if !prefix.is_empty() => {}
            name if name.starts_with(|sign: char| sign.is_alphabetic() || sign == '_') || name == "*" => {
                prefix.push(name.into());
            }
            _ => {
                out.push((prefix.clone(), prefix.last().cloned().unwrap_or_default()));
                return at + usize::from(text(at) != "}");
            }
        }
        at += 1;
        if text(at) == "::" {
            at += 1;
            continue;
        }
        let alias = text(at) == "as";
        let name = if alias { text(at + 1).to_string() } else { prefix.last().cloned().unwrap_or_default() };
        out.push((prefix, name));
        return at + if alias { 2 } else { 0 };
    }
}

impl House {
    /// The path from the root of the crate; nothing for a path into another crate.
    fn absolute(&self, reference: &Reference) -> Option<Vec<String>> {
        let mut segments = reference.segments.iter().map(String::as_str).peekable();
        let mut path = match segments.peek().copied()? {
            "crate" => {
                segments.next();
                vec![]
            }
            "self" => {
                segments.next();
                reference.from.clone()
            }
            "super" => reference.from.clone(),
            first if self.children.get(&reference.from).is_some_and(|all| all.iter().any(|one| one == first)) => {
                reference.from.clone()
            }
            _ => return None,
        };
        for segment in segments {
            match segment {
                "super" => {
                    path.pop();
                }
                segment => path.push(segment.into()),
            }
        }
        Some(path)
    }

    /// The module that a path from the root ends in, through what modules import and hand on.
    fn target(&self, path: &[String], hops: u32) -> Module {
        let mut module = Vec::new();
        for segment in path {
            module.push(segment.clone());
            if module.len() == 1 && floor(segment).is_some() {
                continue;
            }
            if !self.children.contains_key(&module) {
                module.pop();
                return match self.imports.get(&(module.clone(), segment.clone())) {
                    Some(further) if hops > 0 => self.target(further, hops - 1),
                    _ => module,
                };
            }
        }
        module
    }

    fn refuse(&self, reference: &Reference) -> Option<String> {
        let from = &reference.from;
        let in_tests = from.iter().any(|name| name == "tests");
        if !in_tests && reference.segments.last().is_some_and(|last| last == "*") && reference.segments[0] == "super" {
            return Some("a glob of the parent hides what is used".into());
        }
        let target = self.target(&self.absolute(reference)?, 8);
        let shared = from.iter().zip(&target).take_while(|(a, b)| a == b).count();
        let (Some(user), Some(used)) = (from.get(shared), target.get(shared)) else {
            return None; // One is inside the other.
        };
        if shared == 0 {
            let (Some(mine), Some(theirs)) = (floor(user), floor(used)) else {
                return Some(format!("{user} or {used} is on no floor"));
            };
            return (theirs >= mine)
                .then(|| format!("{user} on floor {mine} stands not on {used}, which is on floor {theirs}"));
        }
        let order = self.children.get(&from[..shared])?;
        let place = |name: &String| order.iter().position(|one| one == name);
        if user == "tests" {
            return None; // Tests of a folder come after all of it.
        }
        (place(used) > place(user)).then(|| format!("{user} uses {used}, which {} declares below it", from[shared - 1]))
    }
}

/// A file that no module declares is not compiled, and nobody notices.
fn undeclared(house: &House, source: &Source) -> Option<String> {
    let module = module_of(&source.path)?;
    let (name, parent) = module.split_last()?;
    let known = house.children.get(parent)?;
    (!known.contains(name)).then(|| format!("{}:1: no module declares this file", source.path))
}

/// The first line of a `mod.rs` tells its floor and what it stands on, and tells the truth.
fn header(house: &House, references: &[(String, Reference)], source: &Source) -> Option<String> {
    let module = module_of(&source.path).filter(|_| source.path.ends_with("/mod.rs"))?;
    let first = source.text.lines().next().unwrap_or_default();
    let complain = |why: String| Some(format!("{}:1: {why}", source.path));
    let Some(number) = floor(&module[0]) else {
        return complain(format!("{} is on no floor", module[0]));
    };
    let Some(list) = first.strip_prefix(&format!("//! Floor {number}. Stands on: ")) else {
        return complain(format!("the first line must begin `//! Floor {number}. Stands on: `"));
    };
    let Some(list) = list.strip_suffix('.') else {
        return complain("the list of what it stands on must end with a full stop".into());
    };
    if module.len() > 1 {
        return None;
    }
    let listed: Vec<_> = list.split(", ").filter(|name| *name != "nothing").collect();
    if let Some(wrong) = listed.iter().find(|name| floor(name).is_none_or(|floor| floor >= number)) {
        return complain(format!("floor {number} cannot stand on {wrong}"));
    }
    let unlisted = references.iter().filter(|(_, reference)| reference.from.first() == module.first()).find_map(
        |(path, reference)| {
            let target = house.target(&house.absolute(reference)?, 8);
            let used = target.first().filter(|used| **used != module[0] && !listed.contains(&used.as_str()))?;
            Some(format!("{path} uses {used}, which is not among what it stands on"))
        },
    );
    unlisted.and_then(complain)
}
