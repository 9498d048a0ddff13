//! Characters that do something to a screen without showing themselves.

/// Whether `c` is a control, bidirectional-formatting, zero-width or otherwise invisible character.
///
/// Such characters move the cursor, reverse what stands around them or make two different names look the same.
/// The two variation selectors of emoji (U+FE0E, U+FE0F) are not counted: they only choose a glyph. Source:
/// Unicode 16, general categories Cc, Cf, Zl, Zp and Default_Ignorable_Code_Point.
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::is_hidden;

    #[test]
    fn hidden_characters_are_known_and_letters_are_not() {
        for c in "\0\u{1b}\n\u{7f}\u{9b}\u{200b}\u{200d}\u{202e}\u{2066}\u{feff}\u{e0041}\u{3164}".chars() {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in "aZ ~äß中文עברית👋🏽\u{fe0f}\u{a0}e\u{301}".chars() {
            assert!(!is_hidden(c), "{c:?}");
        }
    }
}
