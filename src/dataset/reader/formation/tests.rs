//! Formation tables of real cells, and broken ones.
use super::*;
use crate::dataset::reader::archive::real_data;
use crate::dataset::reader::collect::{READER_NOTES, read_one};

const SETTINGS_HEAD: &str = "seq_num,formation_temperature,ocv_time,wetting_hold_time,formation_charge_current_1,\
    formation_cutoff_voltage_1,formation_charge_current_2,formation_cutoff_voltage_2,charge_hold_time,\
    formation_discharge_current,formation_verification_current,formation_verification_repeat,cell_mass_before,\
    cell_mass_after,electrolyte_mass,regular_charge_current,regular_discharge_current\n";
const INFO_HEAD: &str = "seq_num,1st_ch_cap,1st_disch_cap,1st_CE,disch_cap_with_cv,last_ch_cap,last_disch_cap,\
    last_CE,formation_time,temperature_exp,cv_hold_cap\n";

/// Files of three cells, of which 7 and 9 share their protocol.
fn files() -> BTreeMap<&'static str, String> {
    let settings = |n: u32, celsius: u32| {
        format!("{n},{celsius},72,24,0.05,4.0,0.01,4.4,1,0.048,0.048,0,4.6,5.6,1.0,0.24,0.18\n")
    };
    let info = |n: &str| format!("{n},0.30,0.25,0.82,0.26,,,,27.2,24.1,0.002\n");
    BTreeMap::from([
        (
            "Formation_2022-Parameter.csv",
            [SETTINGS_HEAD, &settings(7, 25), &settings(8, 55), &settings(9, 25)].concat(),
        ),
        (
            "formation_cycle_info_1.csv",
            [INFO_HEAD, &info("7.0"), &info("8.0"), &info("9.0"), ",,,,,,,,,,\n"].concat(),
        ),
        ("one_time_features_1.csv", "seq_num,regu_life\n7,500\n8,600\n9,700\n12,\n".into()),
        ("tiers.csv", "seq_num,tier\n9,2\n7,0\n8,1\n".into()),
        ("folds.csv", "seq_num,repeat,fold\n7,0,1\n8,0,0\n9,0,1\n7,1,2\n8,1,1\n9,1,2\n".into()),
    ])
}

fn read(files: &BTreeMap<&'static str, String>) -> Result<Vec<Cell>, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        crate::file::write_atomic(&folder.path().join(name), text.as_bytes()).unwrap();
    }
    read_one(&Formation, folder.path())
}

fn refused(name: &'static str, text: Option<&str>) -> String {
    let mut files = files();
    match text {
        Some(text) => drop(files.insert(name, text.into())),
        None => drop(files.remove(name)),
    }
    read(&files).unwrap_err().to_string()
}

fn attribute(cell: &Cell, name: &str) -> Option<(f64, String)> {
    cell.facts.attributes.get(name).map(|a| (a.value, a.unit.clone()))
}

#[test]
fn cells_have_attributes_groups_and_folds_and_missing_values_are_absent() {
    let cells = read(&files()).unwrap();
    assert_eq!(cells.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["seq-007", "seq-008", "seq-009"]);
    let groups: Vec<_> = cells.iter().map(|c| c.facts.group.as_deref().unwrap()).collect();
    assert_eq!(groups, ["protocol-01", "protocol-02", "protocol-01"]);
    assert_eq!(cells.iter().map(|c| c.facts.folds.clone()).collect::<Vec<_>>(), [[1, 2], [0, 1], [1, 2]]);
    assert_eq!(cells[2].facts.cycle_life, Some(700.0));
    assert_eq!(cells[2].facts.notes["tier"], "2");
    assert_eq!(attribute(&cells[1], "formation_temperature"), Some((55.0, "degrees Celsius".into())));
    assert_eq!(attribute(&cells[1], "formation_duration"), Some((27.2, "h".into())));
    assert_eq!(attribute(&cells[1], "formation_last_charge_capacity"), None);
    assert!(cells.iter().all(|c| c.records.is_empty() && c.table.is_none()));
}

#[test]
fn without_tiers_and_folds_all_cells_with_settings_are_read() {
    let mut files = files();
    files.retain(|name, _| *name != "tiers.csv" && *name != "folds.csv");
    let cells = read(&files).unwrap();
    assert_eq!((cells.len(), cells[0].facts.folds.len()), (3, 0));
}

#[test]
fn an_unparsable_attribute_is_a_note_and_an_incredible_energy_too() {
    let mut files = files();
    let info = files["formation_cycle_info_1.csv"].replacen("0.82", "n.m.", 1);
    files.insert("formation_cycle_info_1.csv", info);
    let rpt = "seq_num,diag_pos,cycle_index,rpt_low_cap,rpt_med_cap,regu_cap,rpt_low_energy,rpt_med_energy,regu_energy\n\
               7,0,0,0.27,0.26,0.25,1.0,2.3e9,0.93\n7,hppc_1,8,9,9,9,9,9,9\n";
    files.insert("rpt_summary_1.csv", rpt.into());
    let cells = read(&files).unwrap();
    assert_eq!(attribute(&cells[0], "formation_first_coulombic_efficiency"), None);
    assert_eq!(attribute(&cells[0], "diagnostic_energy_medium_rate"), None);
    assert_eq!(attribute(&cells[0], "diagnostic_energy_low_rate"), Some((1.0, "Wh".into())));
    assert_eq!(attribute(&cells[1], "diagnostic_energy_low_rate"), None);
    let note = &cells[0].facts.notes[READER_NOTES];
    assert!(
        note.contains("1st_CE: `n.m.` (line 2)") && note.contains("2300000000 Wh is no energy"),
        "{note}"
    );
}

#[test]
fn missing_files_and_bad_numbers_are_named() {
    let cases: [(&str, Option<&str>, &[&str]); 7] = [
        ("one_time_features_1.csv", None, &["lacks `one_time_features*.csv`", "further path"]),
        ("Formation_2022-Parameter.csv", None, &["lacks `Formation_2022-Parameter*.csv`"]),
        (
            "one_time_features_1.csv",
            Some("seq_num,regu_life\n7,x\n8,1\n9,1\n"),
            &["seq_num 7", "`x` (line 2)"],
        ),
        (
            "one_time_features_1.csv",
            Some("seq_num,regu_life\n7,1\n9,1\n"),
            &["seq_num 8", "no value of `regu_life`"],
        ),
        (
            "tiers.csv",
            Some("seq_num,tier\n7,0\nseven,1\n"),
            &["tiers.csv", "line 3", "`seven` is no whole number"],
        ),
        ("tiers.csv", Some("seq_num,tier\n7,0\n7,1\n"), &["row 2", "7 is there twice"]),
        ("folds.csv", Some("seq_num,repeat,fold\n7,0,1\n7,1,1\n8,0,1\n"), &["folds.csv", "seq_num 8 lacks"]),
    ];
    for (name, text, expected) in cases {
        let message = refused(name, text);
        assert!(expected.iter().all(|e| message.contains(e)), "{name}: {message}");
    }
    assert!(refused("folds.csv", Some("seq_num,fold\n7,0\n")).contains("no column `repeat`"));
}

/// Expected values: pandas, `tests/fixtures/readers/PROVENANCE.md`.
#[test]
fn the_published_tables_have_137_cells_in_48_groups_that_no_fold_splits() {
    let Some(folder) = real_data("formation-cui2024") else { return };
    let cells = read_one(&Formation, &folder).unwrap();
    assert_eq!((cells.len(), cells[0].id.as_str(), cells[136].id.as_str()), (137, "seq-100", "seq-326"));
    let mut groups: BTreeMap<&str, Vec<&Vec<u32>>> = BTreeMap::new();
    for cell in &cells {
        groups.entry(cell.facts.group.as_deref().unwrap()).or_default().push(&cell.facts.folds);
    }
    assert_eq!(groups.len(), 48);
    assert!(groups.values().all(|folds| folds.iter().all(|f| f.len() == 10 && f == &folds[0])));
    let lives: f64 = cells.iter().filter_map(|c| c.facts.cycle_life).sum();
    assert!((lives - 101_922.0).abs() < 1e-6, "{lives}");
    let efficiencies = cells.iter().filter_map(|c| attribute(c, "formation_first_coulombic_efficiency"));
    let mean = efficiencies.map(|(v, _)| v).sum::<f64>() / 137.0;
    assert!((mean - 0.807_344_525_547_445_3).abs() < 1e-12, "{mean}");
    let has = |name: &str| cells.iter().filter(|c| c.facts.attributes.contains_key(name)).count();
    assert_eq!(
        (has("formation_last_coulombic_efficiency"), has("pulse_resistance_charge_soc0_0s")),
        (111, 134)
    );
    assert_eq!((has("electrode_full_capacity"), has("diagnostic_capacity_low_rate")), (137, 137));
    let pulses = cells.iter().flat_map(|c| &c.facts.attributes).filter(|(n, _)| n.starts_with("pulse_"));
    let pulses: Vec<f64> = pulses.map(|(_, a)| a.value).collect();
    assert_eq!(pulses.len(), 134 * 48);
    assert!((pulses.iter().sum::<f64>() - 2_081.191_146_011).abs() < 1e-6);
}
