//! A source file as the rules see it: which lines are tests, what it imports, where its functions end.

use std::fs;
use std::path::Path;

/// A file below `src/`: its path there, its lines, and how many of them, from the first, are not tests.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) lines: Vec<String>,
    pub(super) n_code: usize,
}

impl Source {
    /// Tests reach from the first `#[cfg(test)]` that does more than declare a module, to the end.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(String::from).collect();
        let begin = |pair: &[String]| pair[0] == "#[cfg(test)]" && !pair[1].ends_with(';');
        let n_code = lines.windows(2).position(begin).unwrap_or(lines.len());
        Self { path: path.into(), lines, n_code }
    }

    /// Returns the module at the top of the tree that the file belongs to.
    pub(super) fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Returns the lines that are not tests, without comments.
    pub(super) fn code(&self) -> impl Iterator<Item = &str> {
        self.lines[..self.n_code].iter().map(|line| line.split("//").next().unwrap())
    }

    /// Returns whether `word` stands in the code, not as the end of a longer name.
    pub(super) fn uses(&self, word: &str) -> bool {
        let apart = |line: &str, at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        self.code().any(|line| line.match_indices(word).any(|(at, _)| apart(line, at)))
    }

    /// Returns the names that follow `crate::`, or as many `super::` as lead to the root.
    pub(super) fn imports(&self) -> Vec<String> {
        let text = self.code().collect::<Vec<_>>().join(" ");
        let root = "super::".repeat(self.path.trim_end_matches("/mod.rs").split('/').count());
        let after = text.split("crate::").skip(1).chain(text.split(root.as_str()).skip(1));
        after.flat_map(first_names).collect()
    }

    /// Returns the first line, from 1, and the number of lines of each function that is not a test.
    ///
    /// Relies on rustfmt: a function's last line is a brace as far in as its first.
    pub(super) fn functions(&self) -> Vec<(usize, usize)> {
        let code = &self.lines[..self.n_code];
        let is_function =
            |line: &str| format!(" {}", line.split('(').next().unwrap().trim()).contains(" fn ");
        let measure = |(start, line): (usize, &String)| {
            let head = code[start..].iter().find(|l| l.ends_with(['{', '}', ';']))?;
            let close = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            let n_lines = 1 + code[start..].iter().position(|l| *l == close)?;
            head.ends_with('{').then_some((start + 1, n_lines))
        };
        let heads = code.iter().enumerate().filter(|(_, line)| is_function(line));
        heads.filter_map(measure).collect()
    }

    /// Returns the paths of the modules that the file declares under `#[cfg(test)]`.
    fn test_modules(&self) -> Vec<String> {
        let folder = self.path.trim_end_matches("mod.rs").replace(".rs", "/");
        let name = |line: &str| Some(line.split_once("mod ")?.1.strip_suffix(';')?.to_owned());
        let declared = self.lines.windows(2).filter(|pair| pair[0].trim() == "#[cfg(test)]");
        declared.filter_map(|pair| name(&pair[1])).map(|name| format!("{folder}{name}.rs")).collect()
    }
}

/// Returns every Rust file below `src`, a module that is only compiled for tests without a line of code.
pub(super) fn every(src: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    collect(src, "", &mut sources);
    let tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in sources.iter_mut().filter(|s| tests.contains(&s.path)) {
        source.n_code = 0;
    }
    sources
}

fn collect(folder: &Path, above: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = format!("{above}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{path}/"), sources);
        } else if entry.path().extension().is_some_and(|e| e == "rs") {
            sources.push(Source::new(&path, &fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

/// Returns `cell` for `cell::CellId;`, and `file` and `model` for `{file, model::{A, B}};`.
fn first_names(text: &str) -> Vec<String> {
    let name =
        |t: &str| t.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = text.strip_prefix('{') else { return vec![name(text)] };
    let mut depth = 1;
    let ends = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0 || (depth == 1 && c == ',')
    };
    let group = group.split(';').next().unwrap();
    group.split(ends).map(name).filter(|n| !n.is_empty()).collect()
}
