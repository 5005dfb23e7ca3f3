//! The integration tests, one binary: it links the library once.

#![cfg_attr(
    test,
    expect(
        clippy::disallowed_methods,
        clippy::print_stdout,
        reason = "tests break files and say what they skip"
    )
)]

#[cfg(test)]
mod bad_input; // A clear error, the right exit code, no panic, nothing half-written.
#[cfg(test)]
mod cli_datasets; // Datasets through the program: import, fetch, list, show, check.
#[cfg(test)]
mod descriptors; // The catalogue: names, units, citations, its document, its data; distinct, and unbroken by damage.
#[cfg(test)]
mod early; // Lives and tiers through the program: tables, figures and reasons.
#[cfg(test)]
mod experiments; // Experiments through the program: trained, killed, resumed, compared, refused.
#[cfg(test)]
mod export; // Runs as files of other programs: written, described, refused.
#[cfg(test)]
mod models; // Finished runs through the program: listed, promoted, verified, migrated, removed, refused.
#[cfg(test)]
mod predict; // Answers through the program: tables of every form, raw cells, refusals.
#[cfg(test)]
mod program; // The program as a person runs it.
#[cfg(test)]
mod reproduce; // The same bytes, killed or not, alone or in a population.
#[cfg(test)]
mod serve; // The server through the program: answers, attacks, bad bodies, tampered runs, the documents' commands.
#[cfg(test)]
mod tidy; // House rules: heads, lengths, names, import direction, confined crates, citations.
#[cfg(test)]
mod tune; // Searches through the program: finished, killed, shared, forked, damaged, exported, refused.
