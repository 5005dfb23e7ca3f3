//! A tester's log as one long series: named channels with one value a row.

use std::collections::BTreeMap;
use std::path::Path;

use super::ReadError;
use super::delimited::{Numbers, Parse, Sheet, missing_column};
use super::heading::{self, Quantity, Scale};

/// Columns that a series may have, with their Battery Data Format names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    TestTime,
    Voltage,
    Current,
    SurfaceTemperature,
    AmbientTemperature,
    UnixTime,
    CycleCount,
    StepCount,
    DischargingCapacity,
}

impl Channel {
    /// Every channel, the three needed ones first.
    pub(super) const ALL: [Self; 9] = [
        Self::TestTime,
        Self::Voltage,
        Self::Current,
        Self::SurfaceTemperature,
        Self::AmbientTemperature,
        Self::UnixTime,
        Self::CycleCount,
        Self::StepCount,
        Self::DischargingCapacity,
    ];

    /// Channels without which a series says nothing.
    pub(super) const NEEDED: [Self; 3] = [Self::TestTime, Self::Voltage, Self::Current];

    /// Returns the Battery Data Format name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TestTime => "test_time_second",
            Self::Voltage => "voltage_volt",
            Self::Current => "current_ampere",
            Self::SurfaceTemperature => "surface_temperature_celsius",
            Self::AmbientTemperature => "ambient_temperature_celsius",
            Self::UnixTime => "unix_time_second",
            Self::CycleCount => "cycle_count",
            Self::StepCount => "step_count",
            Self::DischargingCapacity => "discharging_capacity_ah",
        }
    }

    /// Returns what the channel measures.
    pub(super) fn quantity(self) -> Quantity {
        match self {
            Self::TestTime | Self::UnixTime => Quantity::Time,
            Self::Voltage => Quantity::Potential,
            Self::Current => Quantity::Current,
            Self::SurfaceTemperature | Self::AmbientTemperature => Quantity::Temperature,
            Self::CycleCount | Self::StepCount => Quantity::Count,
            Self::DischargingCapacity => Quantity::Charge,
        }
    }
}

/// Names that a format gives to a channel, best first, as [`heading::split`] returns them.
pub(super) type Aliases = [(Channel, &'static [&'static str])];

/// Where a channel stands in a file and how its values become ours.
#[derive(Debug, Clone)]
pub(super) struct Pick {
    pub(super) channel: Channel,
    pub(super) column: usize,
    pub(super) scale: Scale,
    /// How to parse; `None` for plain numbers.
    pub(super) parse: Option<Parse>,
}

/// Named channels, equally long.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Series {
    channels: BTreeMap<Channel, Numbers>,
    n_rows: usize,
}

impl Series {
    /// Reads the channels `picks` of `sheet`.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] for ragged rows and for a needed channel without one number.
    pub(super) fn read(sheet: &Sheet, picks: &[Pick]) -> Result<Self, ReadError> {
        let columns: Vec<_> = picks.iter().map(|p| (p.column, p.parse.unwrap_or(sheet.plain()))).collect();
        let numbers = sheet.numbers(&columns)?;
        Self::from_columns(sheet.path(), picks, numbers)
    }

    /// Takes the columns in the order of `picks`, scales them and checks the needed ones.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] for a needed channel without one number and for columns of unequal length.
    pub(super) fn from_columns(
        path: &Path,
        picks: &[Pick],
        columns: Vec<Numbers>,
    ) -> Result<Self, ReadError> {
        let n_rows = columns.first().map_or(0, |c| c.values.len());
        let mut series = Self { n_rows, ..Self::default() };
        for (pick, mut numbers) in picks.iter().zip(columns) {
            if numbers.values.len() != n_rows {
                return Err(unequal_channel(path, pick.channel, numbers.values.len(), n_rows));
            }
            if Channel::NEEDED.contains(&pick.channel) && numbers.is_void() {
                return Err(void_channel(path, pick.channel, &numbers));
            }
            numbers.scale(pick.scale.factor, pick.scale.offset);
            series.channels.insert(pick.channel, numbers);
        }
        Ok(series)
    }

    /// Returns the number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Returns a channel, if the file has it.
    pub(super) fn channel(&self, channel: Channel) -> Option<&Numbers> {
        self.channels.get(&channel)
    }

    /// Returns one value; NaN where the file has no such channel.
    pub(super) fn value(&self, channel: Channel, row: usize) -> f64 {
        self.channel(channel).map_or(f64::NAN, |c| c.values[row])
    }

    /// Returns the rows `order` in that order; each row may be named once.
    pub(super) fn take(&self, order: &[usize]) -> Self {
        let channels = self.channels.iter().map(|(name, column)| (*name, column.take(order))).collect();
        Self { channels, n_rows: order.len() }
    }

    /// Turns the sign of the current, for testers whose positive current discharges.
    pub(super) fn negate_current(&mut self) {
        if let Some(current) = self.channels.get_mut(&Channel::Current) {
            current.scale(-1.0, 0.0);
        }
    }
}

/// Finds the channels of a format among `headings`.
///
/// # Errors
/// [`ReadError::MissingColumn`] when a needed channel is not there.
pub(super) fn pick(path: &Path, headings: &[String], aliases: &Aliases) -> Result<Vec<Pick>, ReadError> {
    let names: Vec<_> = headings.iter().map(|h| heading::split(h)).collect();
    let mut picks = Vec::new();
    for (channel, spellings) in aliases {
        match spellings.iter().find_map(|spelling| locate(*channel, spelling, &names)) {
            Some((column, scale)) => picks.push(Pick { channel: *channel, column, scale, parse: None }),
            None if Channel::NEEDED.contains(channel) => {
                return Err(missing_column(path, channel.name(), headings));
            }
            None => {}
        }
    }
    Ok(picks)
}

fn locate(channel: Channel, spelling: &str, names: &[(String, Option<String>)]) -> Option<(usize, Scale)> {
    names
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| name == spelling)
        .find_map(|(column, (_, unit))| Some((column, heading::scale(channel.quantity(), unit.as_deref())?)))
}

fn unequal_channel(path: &Path, channel: Channel, n_found: usize, n_rows: usize) -> ReadError {
    ReadError::Damaged {
        path: path.into(),
        place: format!("column `{}`", channel.name()),
        found: format!("{n_found} values where the first column has {n_rows}"),
    }
}

fn void_channel(path: &Path, channel: Channel, numbers: &Numbers) -> ReadError {
    let first = numbers.bad.first();
    let example = first.map_or(String::new(), |b| format!(" (line {}: `{}`)", b.line, b.text));
    ReadError::Damaged {
        path: path.into(),
        place: format!("column `{}`", channel.name()),
        found: format!("not one number in {} rows{example}", numbers.values.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIASES: &Aliases = &[
        (Channel::TestTime, &["testtime"]),
        (Channel::Voltage, &["voltage"]),
        (Channel::Current, &["current", "i"]),
    ];

    fn headings(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn channels_are_found_by_name_and_unit() {
        let found =
            pick(Path::new("a"), &headings(&["I(mA)", "Voltage / V", "Test_Time(h)"]), ALIASES).unwrap();
        let found: Vec<_> = found.iter().map(|p| (p.channel, p.column, p.scale.factor)).collect();
        let expected =
            [(Channel::TestTime, 2, 3600.0), (Channel::Voltage, 1, 1.0), (Channel::Current, 0, 1e-3)];
        assert_eq!(found, expected);
    }

    #[test]
    fn columns_of_unequal_length_are_an_error() {
        let pick = |channel| Pick { channel, column: 0, scale: Scale::default(), parse: None };
        let columns = vec![Numbers::new(vec![0.0, 1.0]), Numbers::new(vec![3.0])];
        let error =
            Series::from_columns(Path::new("a"), &Channel::NEEDED.map(pick)[..2], columns).unwrap_err();
        assert!(error.to_string().contains("1 values where the first column has 2"), "{error}");
    }

    #[test]
    fn a_needed_channel_that_is_missing_or_void_is_an_error() {
        let error = pick(Path::new("a"), &headings(&["Test Time", "Voltage"]), ALIASES).unwrap_err();
        assert!(error.to_string().contains("no column `current_ampere`"), "{error}");
        let text = b"test_time_s,voltage,current\n0,3.5,a\n1,3.6,b\n".to_vec();
        let sheet = Sheet::open(Path::new("a"), text, &super::super::delimited::Layout::default()).unwrap();
        let picks = pick(Path::new("a"), sheet.header(), ALIASES).unwrap();
        let error = Series::read(&sheet, &picks).unwrap_err().to_string();
        assert!(error.contains("`current_ampere`") && error.contains("line 2: `a`"), "{error}");
    }
}
