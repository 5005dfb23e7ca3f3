//! A question: the rows of a request as the numbers of the model that it asks.

use std::sync::Arc;

use serde_json::json;

use super::form::Form;
use super::hosted::Hosted;
use super::model::{Card, Model};
use super::refusal::Refusal;
use super::rows::{self, Head, Layout};
use super::service::Service;
use super::table;
use crate::predict::unit::{Conversion, accepted};

/// What a request asks.
pub(super) struct Question<'a> {
    /// The model's place.
    pub(super) hosted: &'a Hosted,
    /// The model as it is when the question is read.
    pub(super) model: Arc<dyn Model>,
    /// Its rows `[row, input]`, NaN where missing.
    pub(super) rows: Vec<f64>,
    /// Level of the intervals, one of the model's card.
    pub(super) level: Option<f64>,
    /// How the answers are written.
    pub(super) layout: Layout,
}

/// What a request's address says.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Name of the model.
    pub(super) model: Option<String>,
    /// Level of the intervals.
    pub(super) level: Option<f64>,
}

impl<'a> Question<'a> {
    /// Reads a question.
    ///
    /// # Errors
    /// A refusal that says what is wrong and where.
    pub(super) fn read(
        service: &'a Service,
        form: Form,
        options: &Options,
        body: &[u8],
    ) -> Result<Self, Refusal> {
        let head = if form == Form::Json { rows::head(body)? } else { Head::default() };
        let name = agreed(options.model.as_deref(), head.model.as_deref())?;
        let hosted = service.hosted(name)?;
        let model = hosted.model();
        let card = model.card();
        let level = level(card, options.level.or(head.level))?;
        let mut rows = match form {
            Form::Json => rows::read(body, &card.inputs, service.settings.max_rows)?,
            table => table::read(body, table, card, &service.settings)?,
        };
        convert(&mut rows, card, &head)?;
        Ok(Self { hosted, level, layout: head.layout, rows, model })
    }
}

/// Returns the name that address and body agree on.
fn agreed<'n>(address: Option<&'n str>, body: Option<&'n str>) -> Result<Option<&'n str>, Refusal> {
    match (address, body) {
        (Some(address), Some(body)) if address != body => {
            let message = format!("the address asks `{address}`, the body `{}`", body.escape_debug());
            Err(Refusal::new(422, "two_models", message))
        }
        _ => Ok(address.or(body)),
    }
}

/// Returns the level of the card that is asked for, its default where none is.
pub(super) fn level(card: &Card, asked: Option<f64>) -> Result<Option<f64>, Refusal> {
    let Some(asked) = asked else { return Ok(card.default_level()) };
    let found = card.levels.iter().find(|level| (*level - asked).abs() < 1e-9).copied();
    found.map(Some).ok_or_else(|| {
        let levels: Vec<String> = card.levels.iter().map(ToString::to_string).collect();
        let message = match levels.len() {
            0 => format!("`{}` has no intervals; ask without `level`", card.name),
            _ => format!("`{}` has no interval of level {asked}, but of {}", card.name, levels.join(", ")),
        };
        Refusal::new(422, "unknown_level", message).with(json!({ "levels": card.levels }))
    })
}

/// Converts the inputs that are in units of the client.
fn convert(rows: &mut [f64], card: &Card, head: &Head) -> Result<(), Refusal> {
    for (name, unit) in &head.units {
        let idx = card.inputs.iter().position(|input| input.name == *name);
        let idx = idx.ok_or_else(|| rows::unknown("`units`: ", name, &card.inputs))?;
        let own = &card.inputs[idx].unit;
        let conversion = Conversion::between(unit, own).ok_or_else(|| {
            let units = accepted(own);
            let shown: String = unit.chars().take(80).collect();
            let list = units.join(", ");
            let message = format!("`units`: `{name}` cannot be in `{}`, but in {list}", shown.escape_debug());
            Refusal::new(422, "unknown_unit", message).with(json!({ "units": units }))
        })?;
        rows.iter_mut().skip(idx).step_by(card.inputs.len()).for_each(|v| *v = conversion.apply(*v));
    }
    Ok(())
}
