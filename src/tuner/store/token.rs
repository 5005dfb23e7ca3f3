//! JSON as Python writes it: with the bare tokens `NaN`, `Infinity` and `-Infinity`, which JSON does not have.

use serde::de::DeserializeOwned;

/// Tokens that Python's `json` writes for numbers that are none.
const BARE: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// Reads JSON in which a bare token counts as `null`.
///
/// # Errors
/// What the parser says; lines are those of `text`, columns may be some off after a token.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(&without_tokens(text))
}

/// Returns the text with `null` for each bare token outside strings.
fn without_tokens(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len() + 16);
    let (mut at, mut quoted) = (0, false);
    while let Some(&byte) = text.get(at) {
        let token = BARE.iter().find(|token| !quoted && text[at..].starts_with(token));
        if let Some(token) = token {
            plain.extend_from_slice(b"null");
            at += token.len();
            continue;
        }
        quoted ^= byte == b'"';
        let end = text.len().min(at + if quoted && byte == b'\\' { 2 } else { 1 });
        plain.extend_from_slice(&text[at..end]);
        at = end;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn bare_tokens_are_null_and_texts_stay() {
        let text =
            br#"{"a": NaN, "b": [-Infinity, Infinity, 1.5], "NaN": "say \"NaN\" \\", "c": "Infinity"}"#;
        let read: Value = parse(text).unwrap();
        let expected = json!({"a": null, "b": [null, null, 1.5], "NaN": "say \"NaN\" \\", "c": "Infinity"});
        assert_eq!(read, expected);
        assert!(parse::<Value>(br#"{"a": NaN"#).is_err());
        assert!(parse::<Value>(br#"{"a": "\"#).is_err());
    }
}
