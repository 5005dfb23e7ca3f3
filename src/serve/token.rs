//! The bearer token: only its hash is kept, and comparing takes the same time whatever is shown.

use std::fmt;

use sha2::{Digest, Sha256};

use super::settings::ServeError;

/// Least length of a token [characters]: 16 random hexadecimal digits are 64 bits.
const LEAST: usize = 16;

/// SHA-256 of what a client must show.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// Returns the token of a text; white space around it does not count.
    ///
    /// # Errors
    /// [`ServeError::Token`].
    pub fn new(text: &str) -> Result<Self, ServeError> {
        let text = text.trim();
        let is_visible = text.bytes().all(|b| b.is_ascii_graphic());
        if text.len() < LEAST || !is_visible {
            return Err(ServeError::Token { least: LEAST });
        }
        Ok(Self(Sha256::digest(text).into()))
    }

    /// Returns whether `shown` is the token.
    pub fn is(&self, shown: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown).into();
        // No early exit: the time says nothing of how many bytes agree.
        self.0.iter().zip(shown).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_is_the_token_and_none_is_shown() {
        let token = Token::new(" 0123456789abcdef\n").unwrap();
        assert!(token.is("0123456789abcdef"));
        for other in ["", "0123456789abcdee", "0123456789abcdef0", "0123456789ABCDEF"] {
            assert!(!token.is(other), "{other}");
        }
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in ["", "short", "0123456789 abcdef", "0123456789abcdéf0123"] {
            assert!(matches!(Token::new(bad), Err(ServeError::Token { .. })), "{bad}");
        }
    }
}
