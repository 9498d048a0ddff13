//! The protocol of ../../README.md: requests in, answers and events out, one JSON object a line.

use serde_json::{Map, Value, json};
use std::io::BufRead;
use tokio::sync::mpsc;

/// Why a request is not done.
pub struct Failure {
    pub sentence: String,
    /// It never could be.
    pub cannot: bool,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        failure(error.to_string())
    }
}

pub fn failure(sentence: impl Into<String>) -> Failure {
    Failure { sentence: sentence.into(), cannot: false }
}

pub fn cannot(sentence: impl Into<String>) -> Failure {
    Failure { sentence: sentence.into(), cannot: true }
}

/// A request's tag, by which it is answered.
pub type Tag = u64;

/// A request.
pub struct Request {
    pub name: String,
    pub tag: Tag,
    fields: Map<String, Value>,
}

impl Request {
    fn new(line: &str) -> Option<Self> {
        let Ok(Value::Object(fields)) = serde_json::from_str(line) else { return None };
        Some(Self { name: fields.get("do")?.as_str()?.into(), tag: fields.get("tag")?.as_u64()?, fields })
    }

    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    pub fn need(&self, field: &str) -> Result<&str, Failure> {
        self.text(field).ok_or_else(|| failure(format!("no {field}")))
    }

    pub fn number(&self, field: &str) -> u64 {
        self.fields.get(field).and_then(Value::as_u64).unwrap_or(0)
    }

    pub fn is(&self, field: &str) -> bool {
        self.fields.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn texts(&self, field: &str) -> Vec<&str> {
        let list = self.fields.get(field).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(Value::as_str).collect()
    }
}

/// Requests as they come; the end of input ends the channel.
pub fn requests() -> mpsc::UnboundedReceiver<Request> {
    let (send, receive) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some(request) = Request::new(&line) else {
                eprintln!("not a request: {line}");
                continue;
            };
            if send.send(request).is_err() {
                return;
            }
        }
    });
    receive
}

/// Tells an event.
pub fn event(name: &str, mut line: Value) {
    line["event"] = name.into();
    println!("{line}");
}

/// Answers a request.
pub fn answer(tag: Tag, result: Result<Value, Failure>) {
    let ok = result.is_ok();
    let mut line = match result {
        Ok(Value::Null) => json!({}),
        Ok(line) => line,
        Err(Failure { sentence, cannot: false }) => json!({ "error": sentence }),
        Err(Failure { sentence, cannot: true }) => json!({ "error": sentence, "cannot": true }),
    };
    (line["tag"], line["ok"]) = (tag.into(), ok.into());
    println!("{line}");
}
