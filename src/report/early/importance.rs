//! Pictures of what a model rests on: weights of inputs and families, and what shuffling does to the loss.

use super::bars::{Bar, Bars};
use super::{beside, grown, plain, reading, share, spread, weight};
use crate::experiment::Comparison;
use crate::experiment::config::Kind;
use crate::experiment::reasons::{Growth, Reasons, Weight};
use crate::report::Figure;
use crate::report::canvas::{Canvas, Font, INK, MARGIN, TRIAL};
use crate::report::figure::COLOURS;

/// Most bars of a picture.
const MOST_BARS: usize = 20;

/// Width of the pictures.
const WIDTH: f64 = 900.0;

/// Draws the weights of the inputs; `None` for models without contributions.
pub(super) fn inputs(reasons: &Reasons) -> Option<Figure> {
    weights(reasons, &reasons.inputs, "inputs")
}

/// Draws the weights of the families; `None` for models without contributions.
pub(super) fn families(reasons: &Reasons) -> Option<Figure> {
    weights(reasons, &reasons.families, "families")
}

fn weights(reasons: &Reasons, weights: &[Weight], what: &str) -> Option<Figure> {
    let stability = reasons.stability.as_ref()?;
    let bar = |w: &Weight| {
        let sd = w.sd.map_or_else(String::new, |sd| format!(" ± {}", weight(&reasons.unit, sd)));
        Bar {
            name: w.name.clone(),
            value: w.mean,
            sd: w.sd,
            beside: vec![
                format!("{}{sd}", weight(&reasons.unit, w.mean)),
                format!("{:.0} %", 100.0 * w.top_share),
            ],
            colour: TRIAL,
        }
    };
    let bars: Vec<Bar> = weights.iter().take(MOST_BARS).map(bar).collect();
    let mut canvas = Canvas::new(WIDTH);
    let agree = stability.kuncheva.map_or_else(String::new, |k| {
        format!(" · first {} inputs agree by {} (Kuncheva, 0 is chance)", stability.top, share(k))
    });
    let subtitle = format!("{} model, {} folds{agree}", reasons.model.name(), stability.n_folds);
    let top = canvas.head(
        &super::title(reasons.synthetic, &reasons.task, &format!("weights of {what}")),
        &subtitle,
        &[],
    );
    let first = format!("in first {}", stability.top);
    let label = format!("mean of abs(contribution) [{}]", reasons.unit);
    let drawn = Bars { rows: &bars, label: &label, heads: &["mean ± sd of folds", &first] };
    let bottom = drawn.draw(&mut canvas, (MARGIN, WIDTH - MARGIN), top);
    let more = weights.len().saturating_sub(MOST_BARS);
    let more = (more > 0).then(|| {
        format!("{more} more {what}, each at most {}.", weight(&reasons.unit, weights[MOST_BARS].mean))
    });
    Some(canvas.finish(bottom, &more.into_iter().collect::<Vec<_>>()))
}

/// Draws the growth of the loss; `None` where nothing could be shuffled.
pub(super) fn growth(reasons: &Reasons) -> Option<Figure> {
    let found = &reasons.permutation;
    let before = reading(&found.loss, found.before?);
    let unit = if found.unit == "1" { String::new() } else { format!(" [{}]", found.unit) };
    let loss = plain(&found.loss);
    let mut canvas = Canvas::new(WIDTH);
    let subtitle = format!(
        "{} model · {loss}{unit} {before} on cells never seen · {} shuffles",
        reasons.model.name(),
        found.repeats
    );
    let title = super::title(
        reasons.synthetic,
        &reasons.task,
        &format!("growth of {loss} when inputs are shuffled together"),
    );
    let mut y = canvas.head(&title, &subtitle, &[]);
    for (what, growths) in [("families", &found.families), ("inputs that correlate", &found.correlated)] {
        let bar = |g: &Growth| Bar {
            name: g.name.clone(),
            value: g.mean,
            sd: Some(g.sd),
            beside: vec![format!("{} ± {}", grown(&found.loss, g.mean), beside(&found.loss, g.sd, g.mean))],
            colour: if g.mean < 0.0 { COLOURS[5] } else { COLOURS[2] },
        };
        let bars: Vec<Bar> = growths.iter().take(MOST_BARS).map(bar).collect();
        canvas.text((MARGIN, y + 8.0), what, Font::new(13, INK));
        let label = format!("growth of {loss}{unit}");
        let drawn = Bars { rows: &bars, label: &label, heads: &["mean ± sd of shuffles"] };
        y = drawn.draw(&mut canvas, (MARGIN, WIDTH - MARGIN), y) + 24.0;
    }
    let note = "(+n): with n others that correlate with it, abs(Spearman) above 0.9.";
    Some(canvas.finish(y - 18.0, &[note.into()]))
}

/// Draws the first metric of each model of a comparison beside baselines and references.
pub fn comparison(comparison: &Comparison) -> Figure {
    let (metric, name) = if comparison.kind == Kind::Tier { super::OF_TIERS[0] } else { super::OF_LIVES[0] };
    let models = comparison.models.iter().map(|m| (m.name.clone(), &m.metrics, TRIAL));
    let baselines = comparison.baselines.iter().map(|(name, m)| (plain(name), m, "#9A9A9A"));
    let bar = |(name, metrics, colour): (String, &crate::experiment::score::Metrics, &'static str)| {
        let m = metrics.get(metric)?;
        Some(Bar { name, value: m.mean, sd: m.sd, beside: vec![spread(metric, m.mean, m.sd)], colour })
    };
    let mut bars: Vec<Bar> = models.chain(baselines).filter_map(bar).collect();
    let references = super::table::of_metric(comparison, metric);
    let reference = |(name, value): (String, f64)| Bar {
        name: format!("reference: {}", plain(&name)),
        value,
        sd: None,
        beside: vec![reading(metric, value)],
        colour: COLOURS[4],
    };
    bars.extend(references.into_iter().map(reference));
    let beyond = cut_off(&mut bars);
    let mut canvas = Canvas::new(WIDTH);
    let top = canvas.head(&super::title(comparison.synthetic, &comparison.task, name), &comparison.data, &[]);
    let drawn = Bars { rows: &bars, label: name, heads: &["mean ± sd"] };
    let bottom = drawn.draw(&mut canvas, (MARGIN, WIDTH - MARGIN), top);
    canvas.finish(bottom, &beyond.into_iter().collect::<Vec<_>>())
}

/// Ends bars that dwarf all others, twenty times the median, and says which.
fn cut_off(bars: &mut [Bar]) -> Option<String> {
    let mut values: Vec<f64> = bars.iter().map(|b| b.value.abs()).collect();
    values.sort_by(f64::total_cmp);
    let median = *values.get(values.len() / 2)?;
    let (long, most) = (20.0 * median, 4.0 * median);
    let mut names = Vec::new();
    for bar in bars.iter_mut().filter(|b| b.value.abs() > long) {
        (bar.value, bar.sd) = (most.copysign(bar.value), None);
        names.push(bar.name.clone());
    }
    (!names.is_empty()).then(|| format!("Longer than drawn: {}.", names.join(", ")))
}
