//! What a look at one thing found: well, worth knowing, or wrong with what helps.

use super::shown::{printable, table};
use serde::Serialize;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It is well.
    Ok,
    /// It need not be wrong, and may explain something.
    Note,
    /// It is wrong.
    Wrong,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at: one of the names below, or the code of a trouble.
    pub(crate) check: String,
    pub(crate) state: State,
    /// What was found, and what helps.
    pub(crate) found: String,
}

impl Finding {
    /// It is well.
    pub(crate) fn ok(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Ok, found: found.into() }
    }

    /// It need not be wrong.
    pub(crate) fn note(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Note, found: found.into() }
    }

    /// It is wrong.
    pub(crate) fn wrong(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Wrong, found: found.into() }
    }
}

/// How many are wrong.
pub(crate) fn wrong(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.state == State::Wrong).count()
}

/// As a table for people, with a last line that sums it up.
pub(crate) fn describe(findings: &[Finding]) -> String {
    let state = |state: State| match state {
        State::Ok => "ok",
        State::Note => "note",
        State::Wrong => "WRONG",
    };
    let row = |it: &Finding| vec![state(it.state).into(), it.check.clone(), printable(&it.found).into_owned()];
    let rows: Vec<_> = findings.iter().map(row).collect();
    let sum = match wrong(findings) {
        0 => "nothing is wrong".into(),
        1 => "1 thing is wrong".into(),
        count => format!("{count} things are wrong"),
    };
    format!("{}\n{sum}\n", table(&["", "what", "found"], &rows))
}

/// As a line of JSON, without its end.
pub(crate) fn json(findings: &[Finding]) -> String {
    serde_json::json!({"ok": wrong(findings) == 0, "findings": findings}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_programs_are_told_the_same() {
        let well = [Finding::ok("clock", "it is set"), Finding::note("port", "an\x1bother")];
        assert!(describe(&well).ends_with("note  port   an\\u{1b}other\n\nnothing is wrong\n"), "{}", describe(&well));
        assert_eq!(json(&well[..1]), r#"{"findings":[{"check":"clock","found":"it is set","state":"ok"}],"ok":true}"#);
        let bad = [well[0].clone(), Finding::wrong("disk", "full")];
        assert!(describe(&bad).contains("WRONG  disk   full\n\n1 thing is wrong\n"), "{}", describe(&bad));
        assert!(json(&bad).ends_with(r#""ok":false}"#));
    }
}
