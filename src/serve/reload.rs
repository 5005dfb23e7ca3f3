//! Exchanges a model when another run of it is promoted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::hosted::{Hosted, LoadError};
use super::service::Service;

/// Time between looks at the promotions.
const LOOK: Duration = Duration::from_secs(1);

/// Looks for promotions until it is ended.
pub(super) async fn watch(service: Arc<Service>) {
    if !service.models.iter().any(|hosted| hosted.source.is_watched()) {
        return;
    }
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let service = Arc::clone(&service);
        // Loading takes its time and reads files: not on a thread that answers.
        let _ = tokio::task::spawn_blocking(move || look(&service)).await;
    }
}

/// Exchanges every model whose promotion is another one than was seen last.
///
/// A run that does not load is refused once: the old one goes on, and the next promotion is tried again.
pub(super) fn look(service: &Service) {
    for hosted in &service.models {
        if let Some(is_served) = hosted.renewed(|hosted| exchange(service, hosted)) {
            service.metrics.reloaded(&hosted.name, is_served);
        }
    }
}

fn exchange(service: &Service, hosted: &Hosted) -> bool {
    let old = hosted.model();
    match hosted.source.load() {
        Ok(model) => {
            let (before, now) = (old.card(), model.card());
            let line = format!("reloaded `{}`: {} instead of {}", hosted.name, now.run, before.run);
            service.metrics.serving(&hosted.name, now, Some(before));
            hosted.exchange(model);
            (service.say)(&line);
            true
        }
        Err(error) => {
            let run = &old.card().run;
            (service.say)(&format!("refused to reload `{}`, {run} goes on: {}", hosted.name, chain(&error)));
            false
        }
    }
}

/// Returns an error and its causes on one line.
pub(super) fn chain(error: &LoadError) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts.dedup();
    texts.join(": ")
}
