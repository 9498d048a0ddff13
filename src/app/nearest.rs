//! The name somebody probably meant.

/// Below this likeness (0 to 1, Jaro-Winkler) a name is no guess but noise. Guess: `--romo` is 0.93 like `--room`,
/// `--xyzzy` below 0.5 like everything.
const LIKENESS_MIN: f64 = 0.75;

/// The one of `known` that is most like `name`, if any is.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// The end of a sentence about an unknown name: the nearest one, or all of them.
pub(crate) fn suggest(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("there are: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_noise_finds_nothing() {
        let known = ["room", "nick", "listen", "bootstrap"];
        assert_eq!(nearest("romo", known), Some("room"));
        assert_eq!(nearest("bootstrp", known), Some("bootstrap"));
        assert_eq!(nearest("nik", known), Some("nick"));
        assert_eq!(nearest("xyzzy", known), None);
        assert_eq!(suggest("lisen", &known), "did you mean `listen`?");
        assert_eq!(suggest("qqq", &known), "there are: room, nick, listen, bootstrap");
    }
}
