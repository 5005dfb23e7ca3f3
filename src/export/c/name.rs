//! Names and sentences of a model as C can hold them.

/// Most letters of the prefix; C99 promises 31 significant ones of an external name, `_predict` among them.
const PREFIX: usize = 23;

/// Returns the name that every external name begins with, in small letters.
pub(super) fn prefix(name: &str) -> String {
    let plain = identifier(name).to_lowercase();
    let plain = plain.trim_matches('_');
    let begins_well = plain.starts_with(|c: char| c.is_ascii_alphabetic());
    let whole = if begins_well { plain.to_owned() } else { format!("model_{plain}") };
    whole.chars().take(PREFIX).collect::<String>().trim_end_matches('_').to_owned()
}

/// Returns names as enumerators without their prefix: capitals, each once.
pub(super) fn enumerators<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut given: Vec<String> = Vec::new();
    for name in names {
        let plain = identifier(name).to_uppercase();
        let numbered = (2..).map(|n| format!("{plain}_{n}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|name| !given.contains(name));
        given.extend(free);
    }
    given
}

/// Returns a text that neither ends a comment nor changes how it reads.
pub(super) fn sentence(text: &str) -> String {
    let known = |c: char| if c.is_alphanumeric() || c.is_ascii_graphic() { c } else { ' ' };
    let plain: String = text.chars().map(known).collect();
    plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace('\\', "/")
}

fn identifier(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers_that_differ() {
        for (name, expected) in [
            ("nasa_charge", "nasa_charge"),
            ("My model (2)", "my_model__2"),
            ("2nd", "model_2nd"),
            ("", "model"),
            ("größe/../x", "gr__e____x"),
            ("a_very_long_name_of_an_experiment", "a_very_long_name_of_an"),
        ] {
            assert_eq!(prefix(name), expected);
        }
        let names = ["T (degC)", "T [degC]", "t__degc_", "V"];
        assert_eq!(enumerators(names.into_iter()), ["T__DEGC_", "T__DEGC__2", "T__DEGC__3", "V"]);
    }

    #[test]
    fn a_sentence_stays_within_its_comment() {
        let evil = "ends */ int x; /* again // \\\n#error ??/ */*/ \u{202e}";
        let plain = sentence(evil);
        assert!(["*/", "/*", "\n", "??", "\\", "\u{202e}"].iter().all(|bad| !plain.contains(bad)), "{plain}");
        assert_eq!(sentence("Wärme [°C]: 3/4, \"a\""), "Wärme [ C]: 3/4, \"a\"");
    }
}
