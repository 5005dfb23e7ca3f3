//! Tests of the figures and names of lives and tiers.

use std::collections::BTreeMap;

use super::*;

#[test]
fn figures_have_as_many_decimals_as_their_size_asks_for() {
    let cases = [
        ("rmse", 138.234, "138.2"),
        ("rmse", 13.823, "13.82"),
        ("mae", 1.3823, "1.382"),
        ("mape", 0.1321, "13.2 %"),
        ("rmse", 7.471e14, "7.47e14"),
        ("r2", -8.61e24, "-8.61e24"),
        ("accuracy", 0.6391, ".639"),
        ("log_loss", 1.0404, "1.040"),
        ("r2", -0.044, "−.044"),
    ];
    for (metric, value, expected) in cases {
        assert_eq!(reading(metric, value), expected);
    }
    assert_eq!(spread("rmse", 231.04, Some(0.727)), "231.0 ± 0.7");
    assert_eq!((grown("log_loss", -0.0031), signed(0.04321)), ("−.003".into(), "+0.0432".into()));
    assert_eq!((with_unit(24.13, "degrees Celsius"), with_unit(0.5, "1")), ("24.1 °C".into(), "0.5".into()));
}

#[test]
fn a_reference_stands_beside_the_metric_that_its_name_ends_in() {
    let given = [
        ("extra_trees_accuracy", 0.639),
        ("extra_trees_log_loss", 0.726),
        ("guess", 0.33),
        ("accuracy", 0.5),
    ];
    let given: BTreeMap<String, f64> = given.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
    let found = table::named(&given, &OF_TIERS);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["accuracy", "extra_trees", "guess"]);
    assert_eq!(found["extra_trees"], BTreeMap::from([("accuracy", 0.639), ("log_loss", 0.726)]));
    assert_eq!((found["guess"]["accuracy"], found["accuracy"]["accuracy"]), (0.33, 0.5));
    let lives = BTreeMap::from([("variance".to_owned(), 138.2), ("variance_mape".to_owned(), 0.132)]);
    assert_eq!(
        table::named(&lives, &OF_LIVES)["variance"],
        BTreeMap::from([("rmse", 138.2), ("mape", 0.132)])
    );
}
