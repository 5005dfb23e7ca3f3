//! What the code costs on its machine, in figures and in sentences.

use super::cost::Cost;
use super::quantise::Loss;

/// What the code costs on its machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Bytes of constant tables, which lie in flash; code comes on top (`size` of the object says how much).
    pub constants_bytes: usize,
    /// Bytes of the arrays on the stack of one prediction at most; a call's own words come on top.
    pub stack_bytes: usize,
    /// Bytes of the struct of inputs.
    pub input_bytes: usize,
    /// Bytes of the struct of outputs.
    pub output_bytes: usize,
    /// Operations of one prediction at most.
    pub cost: Cost,
    /// What weights of 8 bits change; none where they have 32.
    pub loss: Option<Loss>,
}

impl Report {
    /// Returns one sentence a figure.
    pub fn lines(&self) -> Vec<String> {
        let Cost { operations, comparisons, calls } = &self.cost;
        let calls: Vec<String> = calls.iter().map(|(function, n)| format!("{n} {function}")).collect();
        let calls = if calls.is_empty() { "none".to_owned() } else { calls.join(", ") };
        let structs = format!("{} bytes of inputs, {} of outputs", self.input_bytes, self.output_bytes);
        let in_trees = match comparisons {
            0 => String::new(),
            n => format!(", {n} comparisons at most"),
        };
        let mut lines = vec![
            format!("Flash: {} bytes of constants, beside the code.", self.constants_bytes),
            format!("RAM: no static byte; {structs}; {} bytes of arrays on the stack.", self.stack_bytes),
            format!("A prediction: {operations} operations{in_trees}."),
            format!("Calls of <math.h>: {calls}."),
        ];
        if let Some(Loss { max, rms, n_rows }) = self.loss {
            lines.push(format!(
                "Weights of 8 bits change the label by {max:.3e} at most, {rms:.3e} RMS, on {n_rows} rows."
            ));
        }
        lines
    }
}
