//! The house rules, checked: floors and reading order, first lines, documented limits, lengths, words and names.

#[path = "tidy/bad.rs"]
mod bad;
#[path = "tidy/order.rs"]
mod order;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/tokens.rs"]
mod tokens;

use std::fs;
use std::path::Path;

/// A file of the project: its path from the root with `/`, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

/// Every complaint about these files, each as `path:line: sentence`.
pub fn complaints(sources: &[Source]) -> Vec<String> {
    let mut out = rules::check(sources);
    out.extend(order::check(sources));
    out.sort();
    out.dedup();
    out
}

fn collect(root: &Path, dir: &Path, out: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                collect(root, &path, out);
            }
        } else if name != ".git"
            && let Ok(text) = fs::read_to_string(&path)
        {
            out.push(Source { path: name, text });
        }
    }
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    collect(root, root, &mut sources);
    for needed in ["src/lib.rs", "src/base/mod.rs", "src/net/mod.rs", "src/node/mod.rs", "tests/tidy.rs"] {
        assert!(sources.iter().any(|source| source.path == needed), "{needed} was not looked at");
    }
    let complaints = complaints(&sources);
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}
