//! The quality report on the real NASA PCoE files, where they are.

use std::path::PathBuf;

use super::{QualityReport, Rule, check};
use crate::dataset::Cell;
use crate::dataset::reader::nasa::Nasa;
use crate::dataset::reader::nasa_csv::NasaCsv;
use crate::dataset::reader::{ReadOptions, Reader};

/// Reads files of the NASA folder; nothing, said aloud, where there is no data.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn read(reader: &dyn Reader, names: &[&str]) -> Option<Vec<Cell>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("FADECAST_DATA").map_or(beside, PathBuf::from).join("nasa-pcoe");
    if !folder.is_dir() {
        println!("skipped: no data at {}", folder.display());
        return None;
    }
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    Some(reader.read(&paths, &ReadOptions::default(), &mut |_| {}).unwrap())
}

fn facts(report: &QualityReport, rule: Rule) -> Vec<(&str, u32)> {
    report.of(rule).map(|f| (f.cell.as_ref().unwrap().as_str(), f.record.unwrap())).collect()
}

const CLASSIC: [&str; 4] = ["mat/B0005.mat", "mat/B0006.mat", "mat/B0007.mat", "mat/B0018.mat"];

#[test]
fn the_classic_cells_have_exactly_their_known_defects() {
    let Some(cells) = read(&Nasa, &CLASSIC) else { return };
    let report = check(&cells);
    let unusable = [("B0005", 84), ("B0006", 84), ("B0007", 84), ("B0018", 115), ("B0018", 139)];
    assert_eq!(facts(&report, Rule::UnusableCharge), unusable);
    let shared = [("B0005", 312), ("B0006", 312), ("B0007", 312)];
    assert_eq!(facts(&report, Rule::DischargeWithoutCharge), shared);
    assert_eq!(facts(&report, Rule::TooFewSamples), [("B0005", 615), ("B0006", 615), ("B0007", 615)]);
    assert_eq!(facts(&report, Rule::VoltageOutOfRange), [("B0005", 84), ("B0006", 84), ("B0007", 84)]);
    assert_eq!(facts(&report, Rule::NonFiniteSample), [("B0018", 114)]);
    assert_eq!(report.count(Rule::PartialFirstCharge), 4);
    assert_eq!(report.findings.len(), 5 + 3 + 3 + 3 + 1 + 4);
    assert_eq!((report.totals.discharges, report.totals.discharges_with_usable_charge), (636, 631));
}

#[test]
fn the_record_csv_layout_has_25_unparsable_and_53_aborted_capacities() {
    let Some(cells) = read(&NasaCsv, &["per-record-csv-22-cells.tar.zst", "metadata.csv"]) else { return };
    let report = check(&cells);
    assert_eq!(report.count(Rule::UnparsableCapacity), 25);
    let unparsable = facts(&report, Rule::UnparsableCapacity);
    assert!(unparsable.iter().all(|&(cell, _)| cell == "B0050" || cell == "B0052"));
    assert_eq!(report.count(Rule::AbortedDischarge), 53);
    let aborted = facts(&report, Rule::AbortedDischarge);
    assert_eq!(aborted.iter().filter(|&&(cell, _)| cell == "B0041").count(), 35);
    assert_eq!(report.count(Rule::UnusableCharge), 0);
    assert_eq!(report.count(Rule::MissingSamples), 2294 + 636);
    assert_eq!(report.totals.discharges, 2271);
}
