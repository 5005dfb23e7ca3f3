//! Promotions while requests run.

use super::*;
use crate::serve::Source;
use crate::serve::reload::look;
use crate::{file, serve};

/// Returns a source that serves the run that a file names, `broken` for one that cannot be loaded.
fn promoted(path: &std::path::Path, gate: &Gate) -> Source {
    let (read, gate) = (path.to_owned(), gate.clone());
    Source::new(Some(path.to_owned()), move || {
        let run = file::read_text(&read)?;
        if run == "broken" {
            return Err("hash of `weights.safetensors` differs".into());
        }
        let model: Arc<dyn serve::Model> = Arc::new(gate.model(&run));
        Ok(model)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_run_is_served_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("promoted.json");
    file::write_atomic(&path, b"run-1").unwrap();
    let (gate, log) = (Gate::default(), Log::default());
    let offers = vec![Offer { name: Some("life".into()), source: promoted(&path, &gate) }];
    let service = Arc::new(Service::start(Settings::default(), offers, log.say()).unwrap());
    let router = router(Arc::clone(&service));
    let request = post("/v1/predict", &json!({ "rows": rows(&linear(), 1), "model": "life" }));
    let (own, sent) = (router.clone(), request);
    let under_way = tokio::spawn(async move { ask(&own, sent).await });
    until(|| gate.n_come() == 1).await;

    look(&service);
    assert_eq!(log.lines(), [""; 0], "nothing was promoted");
    file::write_atomic(&path, b"run-2").unwrap();
    look(&service);
    look(&service);
    assert_eq!(ask(&router, get("/v1/models")).await.1["models"][0]["run"], "run-2");
    gate.open();
    assert_eq!(under_way.await.unwrap().1["run"], "run-1", "it keeps the model that it was asked of");

    file::write_atomic(&path, b"broken").unwrap();
    look(&service);
    look(&service);
    let again = post("/v1/predict", &json!({ "rows": rows(&linear(), 1) }));
    assert_eq!(ask(&router, again).await.1["run"], "run-2");
    let expected = [
        "reloaded `life`: run-2 instead of run-1",
        "refused to reload `life`, run-2 goes on: hash of `weights.safetensors` differs",
    ];
    assert_eq!(log.lines(), expected);
    let (_, text) = ask_text(&router, get("/metrics")).await;
    for line in [
        "fadecast_reloads_total{model=\"life\",result=\"served\"} 1",
        "fadecast_reloads_total{model=\"life\",result=\"refused\"} 1",
        "fadecast_model_info{model=\"life\",run=\"run-2\",kind=\"sample\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("run=\"run-1\""), "{text}");
}

#[test]
fn models_must_be_there_and_have_names_of_their_own() {
    let start =
        |offers| Service::start(Settings::default(), offers, Log::default().say()).err().unwrap().to_string();
    assert_eq!(start(Vec::new()), "nothing to serve: name a run");
    assert!(start(vec![linear().offer(), linear().offer()]).contains("two models are called `linear`"));
    let source = Source::new(None, || Err("no such run".into()));
    assert_eq!(start(vec![Offer { name: Some("life".into()), source }]), "cannot serve `life`");
}
