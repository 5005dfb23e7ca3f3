//! The integration tests, one binary: it links the library once.

#[cfg(test)]
mod experiments; // Experiments through the program: trained, killed, resumed, compared, refused.
#[cfg(test)]
mod reproduce; // The same bytes, killed or not, alone or in a population.
#[cfg(test)]
mod tidy; // House rules: heads, lengths, names, import direction, confined crates, citations.
