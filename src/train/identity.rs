//! The identity of a fit: hashes of all that must not change between a checkpoint and the run that goes on from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::engine::Rows;
use super::{FitPlan, MemberPlan};
use crate::file::sha256_bytes;

/// Hash of each thing that must not change, by what a message calls it.
pub(crate) type Identity = BTreeMap<String, String>;

/// Computes the identity of what `plan` asks for.
pub(crate) fn identity(plan: &FitPlan<'_>) -> Identity {
    let names: Vec<_> = plan.members.iter().map(|m| &m.name).collect();
    let mut identity = Identity::from([
        ("settings".to_owned(), sha256_json(plan.config)),
        ("network or backend".to_owned(), plan.network.to_owned()),
        ("names of the members".to_owned(), sha256_json(&names)),
    ]);
    let mut rows = RowHashes::default();
    for member in plan.members {
        identity.insert(format!("rates, seed or rows of {}", member.name), rows.member(member));
    }
    identity
}

/// Returns the first name under which two identities differ.
pub(crate) fn first_difference(a: &Identity, b: &Identity) -> Option<String> {
    let names = a.keys().chain(b.keys());
    names.filter(|n| a.get(*n) != b.get(*n)).min().cloned()
}

/// Hashes of rows, computed once for all members of a fold.
#[derive(Default)]
struct RowHashes(BTreeMap<*const Rows, String>);

impl RowHashes {
    fn member(&mut self, member: &MemberPlan) -> String {
        let mut seed = [0_u8; 32];
        member.seed.stream("identity").fill_bytes(&mut seed);
        let rows = (self.rows(&member.train), member.validation.as_ref().map(|v| self.rows(v)));
        sha256_json(&(member.hyper, seed, rows))
    }

    fn rows(&mut self, rows: &Arc<Rows>) -> String {
        self.0.entry(Arc::as_ptr(rows)).or_insert_with(|| sha256_rows(rows)).clone()
    }
}

fn sha256_rows(rows: &Rows) -> String {
    let mut hasher = Sha256::new();
    let lengths = [rows.d_input, rows.d_stress, rows.inputs.len(), rows.stress.len(), rows.len()];
    for n in lengths {
        hasher.update((n as u64).to_le_bytes());
    }
    for values in [&rows.inputs, &rows.stress, &rows.labels, &rows.weights] {
        for value in values {
            hasher.update(value.to_le_bytes());
        }
    }
    for row in &rows.later {
        hasher.update(row.to_le_bytes());
    }
    sha256_bytes(&hasher.finalize())
}

fn sha256_json(value: &impl Serialize) -> String {
    sha256_bytes(&serde_json::to_vec(value).expect("plain values with text keys have a JSON form"))
}
