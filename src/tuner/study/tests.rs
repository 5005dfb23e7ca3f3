//! Tests of studies: whatever ends a worker, every trial counts once and the search ends as if nothing had happened.

use std::cell::{Cell, RefCell};
use std::path::Path;

use proptest::prelude::*;

use super::event::{Begun, Finish};
use super::fake::*;
use super::work::{Step, Worker, work_by};
use super::*;
use crate::tuner::evaluate::Outcome;
use crate::tuner::space::Domain;
use crate::tuner::trial::Budget;
use crate::tuner::value::Value;

fn journal(folder: &Path) -> Vec<u8> {
    file::read(&folder.join("journal.jsonl")).unwrap()
}

fn lines(folder: &Path) -> Vec<Event> {
    let text = file::read_text(&folder.join("journal.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ended(folder: &Path) -> Vec<usize> {
    let numbers = |event| match event {
        Event::Finished { results, .. } => results.iter().map(|r| r.trial).collect(),
        _ => Vec::new(),
    };
    lines(folder).into_iter().flat_map(numbers).collect()
}

fn moody(trial: &Trial) -> Option<Outcome> {
    match (trial.number % 6, trial.retries) {
        (1, 0) => Some(Outcome::Failed("exploded".into())),
        (3, _) => Some(Outcome::Completed(evaluation(&[("rmse", f64::NAN)]))),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_search_killed_anywhere_ends_as_if_it_had_not_been(
        cuts in proptest::collection::vec(0.0_f64..1.0, 1..4),
        (together, retries, seed) in (1_usize..4, 0_u32..3, 0_u64..99),
    ) {
        let mut header = Header { seed, ..header(9) };
        (header.config.together, header.config.retries) = (together, retries);
        let whole = tempfile::tempdir().unwrap();
        let fake = || Fake { says: Some(&moody), ..Fake::default() };
        let (expected, all, _) = run(whole.path(), header.clone(), &mut fake());
        prop_assert_eq!(all.unwrap(), Ended::Complete);
        let mut bytes = journal(whole.path());
        for cut in cuts {
            // What a kill leaves: whole lines and a part of one.
            let folder = tempfile::tempdir().unwrap();
            let kept = (cut * bytes.len() as f64) as usize;
            file::write_atomic(&folder.path().join("journal.jsonl"), &bytes[..kept]).unwrap();
            let (study, ended, _) = run(folder.path(), header.clone(), &mut fake());
            prop_assert_eq!(ended.unwrap(), Ended::Complete);
            prop_assert_eq!(study.trials(), expected.trials());
            bytes = journal(folder.path());
        }
    }

    #[test]
    fn a_search_stopped_at_any_epoch_trains_no_epoch_twice(at in 1_usize..40, together in 1_usize..4) {
        let mut header = header(8);
        header.config.together = together;
        let (_kept, expected) = finished(header.clone());
        let folder = tempfile::tempdir().unwrap();
        let mut study = Study::open(folder.path(), header.clone()).unwrap();
        let asked = Cell::new(0);
        let stop = || { asked.set(asked.get() + 1); asked.get() >= at };
        let (mut first, mut rest) = (Fake::default(), nosy());
        let crew = Crew { stop: &stop, ..crew(&mut first, &mut rest) };
        work_by(&Hand::default(), &mut study, crew, &options("a")).unwrap();
        let mut second = Fake::default();
        let (study, all, _) = run(folder.path(), header, &mut second);
        prop_assert_eq!(all.unwrap(), Ended::Complete);
        prop_assert_eq!(study.trials(), expected.trials());
        for n in 0..8 {
            let epochs = [&first, &second].map(|f| f.trained.get(&n).copied().unwrap_or(0));
            prop_assert_eq!(epochs.iter().sum::<u32>(), EPOCHS);
        }
    }
}

/// Works in the study of `folder`, which holds the first `kept` bytes of a journal, with the oracle that it asks for.
fn finish_with_its_oracle(folder: &Path, header: Header, kept: &[u8]) -> Study {
    file::write_atomic(&folder.join("journal.jsonl"), kept).unwrap();
    let mut oracle = crate::tuner::oracle::create(header.config.oracle);
    let (mut fake, mut rest) = (Fake { says: Some(&moody), ..Fake::default() }, nosy());
    let mut study = Study::open(folder, header).unwrap();
    let crew = Crew { oracle: oracle.as_mut(), ..crew(&mut fake, &mut rest) };
    work_by(&Hand::default(), &mut study, crew, &options("w")).unwrap();
    study
}

#[test]
fn every_oracle_goes_on_as_if_nothing_had_happened() {
    use crate::tuner::config::OracleKind::{Asha, Bayesian, Grid, Hyperband, Random};
    for kind in [Random, Grid, Bayesian, Hyperband, Asha] {
        let mut header = Header { epochs: 9, ..header(14) };
        (header.config.oracle, header.config.together, header.config.initial) = (kind, 2, Some(4));
        let whole = tempfile::tempdir().unwrap();
        let expected = finish_with_its_oracle(whole.path(), header.clone(), b"");
        assert!(expected.trials().len() > 9, "{kind:?}");
        let bytes = journal(whole.path());
        for cut in [0.35, 0.6, 0.8, 0.97] {
            let folder = tempfile::tempdir().unwrap();
            let kept = &bytes[..(cut * bytes.len() as f64) as usize];
            let study = finish_with_its_oracle(folder.path(), header.clone(), kept);
            assert_eq!(study.trials(), expected.trials(), "{kind:?}, killed at {cut}");
        }
    }
}

#[test]
fn a_search_goes_on_after_an_error_and_where_a_folder_was_deleted() {
    let (_kept, expected) = finished(header(5));
    let folder = tempfile::tempdir().unwrap();
    let mut fake = Fake { broken_call: Some(2), ..Fake::default() };
    let (study, broken, _) = run(folder.path(), header(5), &mut fake);
    assert!(matches!(broken, Err(StudyError::Evaluate { .. })), "{broken:?}");
    assert_eq!(study.running()[0].lease.worker, None);
    // Trial 0 completed, trial 2 was in its second epoch.
    for n in [0, 2] {
        file::remove_folder(&study.trial_folder(&study.trials()[n])).unwrap();
    }
    let mut fake = Fake::default();
    let (study, all, _) = run(folder.path(), header(5), &mut fake);
    assert_eq!(all.unwrap(), Ended::Complete);
    assert_eq!(study.trials(), expected.trials());
    assert_eq!(fake.trained.into_iter().collect::<Vec<_>>(), [(2, 3), (3, 3), (4, 3)]);
    assert_eq!(ended(folder.path()), [0, 1, 2, 3, 4]);
}

#[test]
fn a_torn_tail_never_happened_and_a_damaged_middle_is_told() {
    let (folder, study) = finished(header(3));
    let path = folder.path().join("journal.jsonl");
    let whole = journal(folder.path());
    for tail in [&b"{\"finished\":{\"lea"[..], b"\0\0\0\0", b"\0\0\0\0}\n", b"\n"] {
        file::write_atomic(&path, &[&whole, tail].concat()).unwrap();
        assert_eq!(Study::read(folder.path()).unwrap().trials(), study.trials());
    }
    let mut more = header(4);
    more.config.trials = 4;
    let (study, ..) = run(folder.path(), more, &mut Fake::default());
    assert_eq!(study.trials().len(), 4);
    assert!(journal(folder.path()).starts_with(&whole));
    assert_eq!(ended(folder.path()), [0, 1, 2, 3]);
    let middle = whole.iter().position(|b| *b == b'\n').unwrap() + 5;
    let mut damaged = whole.clone();
    damaged[middle] = 0;
    file::write_atomic(&path, &damaged).unwrap();
    let error = Study::read(folder.path()).unwrap_err();
    assert!(matches!(error, StudyError::Corrupt { line: 2, .. }), "{error}");
    file::write_atomic(&path, &whole[..40]).unwrap();
    assert!(matches!(Study::read(folder.path()), Err(StudyError::Missing { .. })));
    assert_eq!(Study::open(folder.path(), header(3)).unwrap().trials(), []);
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Study::open(folder.path(), Header { format: FORMAT + 1, ..header(3) }).unwrap();
    let error = Study::read(folder.path()).unwrap_err();
    assert!(matches!(error, StudyError::Newer { format, .. } if format == FORMAT + 1), "{error}");
}

#[test]
fn a_full_disk_loses_nothing() {
    let (_kept, expected) = finished(header(4));
    let folder = tempfile::tempdir().unwrap();
    let mut study = Study::open(folder.path(), header(4)).unwrap();
    for count in [Some(1), Some(1), None] {
        study.log.room = Some(30);
        let before = journal(folder.path());
        let options = WorkOptions { count, ..options("w") };
        let by = |study: &mut Study| {
            let (mut fake, mut rest) = (Fake::default(), nosy());
            work_by(&Hand::default(), study, crew(&mut fake, &mut rest), &options)
        };
        let full = by(&mut study).unwrap_err();
        assert!(full.to_string().contains("nothing is lost"), "{full}");
        assert_eq!(journal(folder.path()), before);
        study.log.room = None;
        by(&mut study).unwrap();
    }
    assert_eq!(study.trials(), expected.trials());
}

#[test]
fn a_changed_question_is_refused_in_words_and_settings_may_change() {
    let (folder, _) = finished(header(3));
    let mut other = header(3);
    other.space.params[1].domain =
        Domain::Int { min: 1, max: 8, step: 1, scale: crate::tuner::space::Scale::Log };
    other.space.params[0].name = "y".into();
    other.objectives[0].direction = crate::tuner::objective::Direction::Max;
    other.identity = [("data".to_owned(), "81bc".to_owned())].into();
    (other.seed, other.config.executions) = (8, 2);
    let Err(StudyError::Differs { what, .. }) = Study::open(folder.path(), other) else { panic!() };
    let expected = [
        "`x` is no longer searched",
        "`y` was not searched",
        "`k` was int 1 to 3, is int 1 to 8, log",
        "the objective was least `rmse`, is greatest `rmse`",
        "the seed was 7, is 8",
        "the data was 3fa9, is 81bc",
        "`tuner.executions` was 1, is 2",
    ];
    assert_eq!(what, expected);
    let before = journal(folder.path());
    Study::open(folder.path(), header(3)).unwrap();
    assert_eq!(journal(folder.path()), before);
    let mut softer = header(2);
    (softer.config.beta, softer.config.lease_s, softer.epochs) = (1.25, 5.0, 9);
    let (study, all, _) = run(folder.path(), softer.clone(), &mut Fake::default());
    assert_eq!((all.unwrap(), study.trials().len()), (Ended::Complete, 3));
    assert_eq!(*Study::read(folder.path()).unwrap().header(), softer);
}

#[test]
fn trials_are_named_as_keras_tuner_names_them() {
    let (folder, study) = finished(header(9));
    let ids = |study: &Study| study.trials().iter().map(|t| t.id.clone()).collect::<Vec<_>>().join(" ");
    assert_eq!(ids(&study), "0 1 2 3 4 5 6 7 8");
    let (study, ..) = run(folder.path(), header(12), &mut Fake::default());
    assert_eq!(ids(&study), "0 1 2 3 4 5 6 7 8 09 10 11");
    assert_eq!(study.trial_folder(&study.trials()[9]), folder.path().join("trial_09"));
}

#[test]
fn failures_are_told_and_tried_again_cleanly_and_stop_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let says = |t: &Trial| match t.number {
        0 => Some(Outcome::Completed(evaluation(&[("mae", 1.0), ("r2", 0.5)]))),
        1 => Some(Outcome::Completed(evaluation(&[("rmse", f64::NAN)]))),
        2 => panic!("attempt to divide by zero"),
        3 if t.retries == 0 => Some(Outcome::Failed("diverged".into())),
        _ => None,
    };
    let mut header = header(5);
    header.config.retries = 1;
    let mut fake = Fake { says: Some(&says), ..Fake::default() };
    let (study, all, _) = run(folder.path(), header, &mut fake);
    assert_eq!(all.unwrap(), Ended::Complete);
    let messages: Vec<_> = study.trials().iter().map(|t| (t.retries, t.message.as_deref())).collect();
    let expected = [
        (1, Some("reports no `rmse`; it has `mae`, `r2`")),
        (1, Some("`rmse` is NaN")),
        (1, Some("it panicked: attempt to divide by zero")),
        (1, None),
        (0, None),
    ];
    assert_eq!(messages, expected);
    // Each attempt trains all epochs: nothing of the failed one is left.
    assert_eq!(fake.trained.into_values().collect::<Vec<_>>(), [6, 6, 6, 6, 3]);
    assert_eq!(fake.calls.iter().map(|c| c[0]).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 3, 3, 4]);
    let metrics = &study.trials()[4].evaluation.as_ref().unwrap().metrics;
    assert_eq!(metrics.keys().collect::<Vec<_>>(), ["rmse"]);
}

#[test]
fn somebody_should_look_when_all_trials_fail() {
    let folder = tempfile::tempdir().unwrap();
    let says = |_: &Trial| Some(Outcome::Failed("no such column".into()));
    let mut fake = Fake { says: Some(&says), ..Fake::default() };
    let (study, all, notes) = run(folder.path(), header(19), &mut fake);
    assert_eq!((all.unwrap(), study.trials().len()), (Ended::Complete, 19));
    let warned: Vec<_> = notes.0.iter().filter(|n| n.starts_with("all")).collect();
    assert_eq!(warned, ["all 10 trials failed until now; the last one: no such column"]);
}

#[test]
fn trials_of_one_group_share_a_call_and_the_misfit_goes_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(9);
    header.config.together = 3;
    let mut fake = Fake::default();
    let (_, all, notes) = run(folder.path(), header, &mut fake);
    assert_eq!(all.unwrap(), Ended::Complete);
    // The groups of `Nosy`: 1 1 2 2 1 1 1 1 2.
    assert_eq!(fake.calls, [vec![0, 1], vec![2, 3], vec![4, 5, 6], vec![7], vec![8]]);
    let begun =
        ["proposed [0, 1, 2]", "started [0, 1]", "finished [0, 1]", "proposed [3, 4]", "started [2, 3]"];
    assert_eq!(notes.0[..5], begun);
}

#[test]
fn one_that_panics_takes_no_other_along() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(2);
    header.config.together = 2;
    let says = |t: &Trial| (t.number == 1).then(|| panic!("bad shape"));
    let mut fake = Fake { says: Some(&says), ..Fake::default() };
    let (study, ..) = run(folder.path(), header, &mut fake);
    assert_eq!(study.trials()[0].status, Status::Completed);
    assert_eq!(study.trials()[1].message.as_deref(), Some("it panicked: bad shape"));
    assert_eq!(fake.calls, [vec![0, 1], vec![0], vec![1]]);
}

#[test]
fn a_worker_does_as_many_as_it_was_to_do() {
    let (_kept, expected) = finished(header(5));
    let folder = tempfile::tempdir().unwrap();
    let mut study = Study::open(folder.path(), header(5)).unwrap();
    for (count, end, n) in [(2, Ended::Counted, 2), (2, Ended::Counted, 4), (2, Ended::Complete, 5)] {
        let (mut fake, mut rest) = (Fake::default(), nosy());
        let options = WorkOptions { count: Some(count), ..options("w") };
        let ended = work_by(&Hand::default(), &mut study, crew(&mut fake, &mut rest), &options).unwrap();
        assert_eq!((ended, study.trials().len()), (end, n));
    }
    assert_eq!(study.trials(), expected.trials());
    assert_eq!(std::fs::read_dir(folder.path().join("workers")).unwrap().count(), 0);
}

#[test]
fn four_threads_do_every_trial_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(40);
    (header.config.together, header.config.retries) = (2, 1);
    Study::open(folder.path(), header).unwrap();
    let worker = |name: &str| {
        let mut study = Study::read(folder.path()).unwrap();
        let (mut fake, mut rest) = (Fake { says: Some(&moody), ..Fake::default() }, nosy());
        let crew = crew(&mut fake, &mut rest);
        let ended = work_by(&Hand::default(), &mut study, crew, &options(name)).unwrap();
        assert_eq!(ended, Ended::Complete);
        fake.calls.concat()
    };
    let mut calls: Vec<usize> = std::thread::scope(|scope| {
        let names = ["a", "b", "c", "d"];
        let threads: Vec<_> = names.iter().map(|name| scope.spawn(|| worker(name))).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    let study = Study::read(folder.path()).unwrap();
    // Trials 1, 7, 13, ... fail once; 3, 9, ... twice; so does each call of theirs.
    let twice = |n: &usize| matches!(n % 6, 1 | 3);
    let mut expected: Vec<usize> = (0..40).chain((0..40).filter(twice)).collect();
    expected.sort_unstable();
    calls.sort_unstable();
    assert_eq!(calls, expected);
    let mut done = ended(folder.path());
    done.sort_unstable();
    assert_eq!(done, expected);
    assert!(study.trials().iter().all(|t| t.status != Status::Running) && study.running().is_empty());
}

#[test]
fn a_second_worker_takes_other_trials_while_the_first_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let seen = RefCell::new(Vec::new());
    let meanwhile = |trials: &[usize], epoch: u32| {
        if trials == [1] && epoch == 2 {
            let mut study = Study::read(folder.path()).unwrap();
            let running = study.running();
            assert_eq!((running[0].lease.trials.as_slice(), running.len()), (&[1][..], 1));
            let (mut fake, mut rest) = (Fake::default(), nosy());
            let options = WorkOptions { count: Some(2), ..options("b") };
            let crew = crew(&mut fake, &mut rest);
            work_by(&Hand::default(), &mut study, crew, &options).unwrap();
            seen.borrow_mut().extend(fake.calls.concat());
        }
    };
    let mut fake = Fake { meanwhile: Some(&meanwhile), ..Fake::default() };
    let (study, all, _) = run(folder.path(), header(5), &mut fake);
    assert_eq!((all.unwrap(), study.trials().len()), (Ended::Complete, 5));
    assert_eq!((seen.take(), fake.calls.concat()), (vec![2, 3], vec![0, 1, 4]));
    assert_eq!(ended(folder.path()), [0, 2, 3, 1, 4]);
}

/// Lets the worker `thief` take over the batch of the last lease.
fn steal(folder: &Path) {
    let mut study = Study::read(folder).unwrap();
    let _held = study.enter().unwrap();
    let Lease { id, trials, .. } = study.running().pop().unwrap().lease;
    let begun = Begun { lease: id + 1, worker: "thief".into(), trials, from: Some(id), ..Begun::default() };
    study.append(Event::Begun(begun), true).unwrap();
}

#[test]
fn what_comes_late_does_not_count() {
    for deaf in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let steals = Cell::new(0);
        let meanwhile = |trials: &[usize], epoch: u32| {
            if trials == [1] && epoch == 1 && steals.replace(1) == 0 {
                steal(folder.path());
                file::remove_file(&folder.path().join("trial_1/weights")).unwrap();
            }
        };
        let mut fake = Fake { meanwhile: Some(&meanwhile), deaf, ..Fake::default() };
        let (study, all, notes) = run(folder.path(), header(3), &mut fake);
        assert_eq!((all.unwrap(), study.trials().len()), (Ended::Complete, 3));
        // The thief is dead: the worker gets the batch back, and its result counts once.
        assert_eq!(fake.calls, [vec![0], vec![1], vec![1], vec![2]]);
        assert_eq!(ended(folder.path()), [0, 1, 2]);
        assert_eq!(notes.0.iter().filter(|n| n.contains("stood still")).count(), 1);
        // It paused after its first epoch, which the thief removed; or it did not listen and left three.
        assert_eq!(fake.trained[&1], if deaf { 3 } else { 4 });
    }
}

#[test]
fn a_hung_worker_is_told_by_its_beats_and_never_by_the_clock_on_the_wall() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = Study::open(folder.path(), header(1)).unwrap();
    {
        let _held = study.enter().unwrap();
        let proposed = vec![Trial::new(0, "0".into(), values(0.5, 1), None)];
        let begun = Begun { worker: "hung".into(), trials: vec![0], proposed, ..Begun::default() };
        study.append(Event::Begun(begun), true).unwrap();
    }
    let workers = folder.path().join("workers");
    file::create_folder(&workers).unwrap();
    let alive = Lock::take(&workers.join("hung.lock")).unwrap();
    let beat = |beats| {
        let beat = Beat { beats, lease: Some(0), epoch: 2, epochs: 3, loss: None };
        file::write_json(&workers.join("hung.json"), &beat).unwrap();
    };
    beat(5);
    assert_eq!(study.running()[0].beat.as_ref().map(|b| b.epoch), Some(2));
    let clock = Hand::default();
    let (mut fake, mut rest) = (Fake::default(), nosy());
    let (options, folder) = (options("b"), folder.path());
    let crew = crew(&mut fake, &mut rest);
    let mut worker = Worker::begin_work(&clock, &mut study, crew, &options).unwrap();
    assert_eq!(worker.step().unwrap(), Step::Idle);
    clock.forward(59);
    assert_eq!(worker.step().unwrap(), Step::Idle);
    beat(6);
    clock.forward(59);
    assert_eq!(worker.step().unwrap(), Step::Idle);
    // A count that goes back is a sign of life too.
    beat(1);
    clock.forward(61);
    assert_eq!(worker.step().unwrap(), Step::Idle);
    clock.forward(61);
    assert_eq!(worker.step().unwrap(), Step::Did);
    assert_eq!(worker.step().unwrap(), Step::Ended(Ended::Complete));
    drop(worker);
    assert_eq!((fake.calls, ended(folder)), (vec![vec![0]], vec![0]));
    // It hangs, but it lives: its files stay until it ends.
    let names = || std::fs::read_dir(&workers).unwrap().count();
    assert_eq!(names(), 2);
    drop(alive);
    let (_, all, _) = run(folder, header(1), &mut Fake::default());
    assert_eq!((all.unwrap(), names()), (Ended::Complete, 0));
}

#[test]
fn two_workers_of_one_name_are_one_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = Study::open(folder.path(), header(1)).unwrap();
    file::create_folder(&folder.path().join("workers")).unwrap();
    let _alive = Lock::take(&folder.path().join("workers/w.lock")).unwrap();
    let (mut fake, mut rest) = (Fake::default(), nosy());
    let twin = work_by(&Hand::default(), &mut study, crew(&mut fake, &mut rest), &options("w"));
    assert!(matches!(twin, Err(StudyError::Twin { .. })), "{twin:?}");
}

#[test]
fn only_checkpoints_that_somebody_needs_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(9);
    header.config.keep = 2;
    let says = |t: &Trial| (t.number == 3).then(|| Outcome::Failed("diverged".into()));
    let mut fake = Fake { says: Some(&says), ..Fake::default() };
    let (study, ..) = run(folder.path(), header, &mut fake);
    let mut best: Vec<_> = crate::tuner::objective::ranked(study.trials(), study.objectives())[..2]
        .iter()
        .map(|t| t.number)
        .collect();
    best.sort_unstable();
    let is_there = |t: &&Trial| study.trial_folder(t).join("weights").exists();
    let there: Vec<_> = study.trials().iter().filter(is_there).map(|t| t.number).collect();
    let kept: Vec<_> = (0..9).filter(|n| study.is_kept(*n)).collect();
    assert_eq!((&there, &kept), (&best, &best));
    assert!(study.disk_bytes() > journal(folder.path()).len() as u64);
}

#[test]
fn what_a_later_round_goes_on_from_is_kept_until_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(20);
    (header.config.keep, header.config.together) = (1, 2);
    let mut study = Study::open(folder.path(), header).unwrap();
    let source = RefCell::new(Vec::new());
    let meanwhile = |trials: &[usize], _: u32| {
        if trials == [5] {
            source.borrow_mut().push(folder.path().join("trial_00/weights").exists());
        }
    };
    let mut fake = Fake { meanwhile: Some(&meanwhile), ..Fake::default() };
    let mut rest = (Rounds(4), (), Notes::default());
    let crew = crew(&mut fake, &mut rest);
    let ended = work_by(&Hand::default(), &mut study, crew, &options("w")).unwrap();
    assert_eq!((ended, study.trials().len()), (Ended::Exhausted, 6));
    assert_eq!(fake.calls, [vec![0, 1], vec![2, 3], vec![4], vec![5]]);
    assert_eq!(source.take(), [true; 3]);
    // x = 0.3 is the best.
    assert_eq!((0..6).filter(|n| study.is_kept(*n)).collect::<Vec<_>>(), [3]);
    assert!(!folder.path().join("trial_00/weights").exists());
}

#[test]
fn trials_of_another_study_count_or_are_trained_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = Study::open(folder.path(), header(5)).unwrap();
    let old = |number, id: &str, x, status, found: &[(&str, f64)]| {
        let evaluation = Some(evaluation(found)).filter(|_| status == Status::Completed);
        Trial { status, evaluation, ..Trial::new(number, id.into(), values(x, 1), None) }
    };
    let wrong = old(0, "a", 1.5, Status::Completed, &[("rmse", 0.5)]);
    let error = study.adopt(vec![wrong]).unwrap_err();
    assert!(
        matches!(&error, StudyError::Misfit { trial, why } if trial == "a" && why.contains("`x`")),
        "{error}"
    );
    let mut promoted = old(9, "../b", 0.2, Status::Running, &[]);
    promoted.budget = Some(Budget { from: 1, until: 3, bracket: 0, round: 1, source: Some(4) });
    let trials = vec![
        old(4, "0007", 0.1, Status::Completed, &[("rmse", 0.25)]),
        promoted,
        old(2, "0007", 0.4, Status::Completed, &[("loss", 0.5)]),
    ];
    assert_eq!(study.adopt(trials).unwrap(), [0, 1, 2]);
    let mut fake = Fake::default();
    let (study, all, _) = run(folder.path(), header(5), &mut fake);
    assert_eq!(all.unwrap(), Ended::Complete);
    assert_eq!(fake.calls, [vec![1], vec![3], vec![4]]);
    let trials = study.trials();
    assert_eq!(trials.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["0007", "1", "2", "3", "4"]);
    assert_eq!((&trials[0].origin, &trials[1].origin), (&Origin::Observed, &Origin::Enqueued));
    assert_eq!(trials[0].metric("rmse"), Some(0.25));
    assert_eq!(trials[1].budget.as_ref().unwrap().source, Some(0));
    assert_eq!(trials[2].message.as_deref(), Some("reports no `rmse`; it has `loss`"));
    assert_eq!(Study::read(folder.path()).unwrap().trials(), trials);
}

#[test]
fn waiting_trials_go_before_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(4);
    header.config.together = 2;
    let mut study = Study::open(folder.path(), header.clone()).unwrap();
    let enqueued = [1, 2].map(|k| Trial::new(0, String::new(), values(0.5, k), None));
    study.adopt(enqueued.into()).unwrap();
    let (_, all, notes) = run(folder.path(), header, &mut Fake::default());
    assert_eq!(all.unwrap(), Ended::Complete);
    // Trial 2 of `Nosy` fits trial 1, and is proposed when that is begun.
    assert_eq!(notes.0[..4], ["started [0]", "finished [0]", "proposed [2]", "started [1, 2]"]);
}

#[test]
fn a_trial_is_not_begun_anew_on_what_a_failed_attempt_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(1);
    header.config.retries = 1;
    let mut stuck =
        Fake { says: Some(&|_| Some(Outcome::Failed("diverged".into()))), stuck: true, ..Fake::default() };
    let (study, broken, notes) = run(folder.path(), header.clone(), &mut stuck);
    assert!(matches!(broken, Err(StudyError::Evaluate { .. })), "{broken:?}");
    assert!(
        notes.0.contains(&"cannot clean up trial 0: the folder is read-only".to_owned()),
        "{:?}",
        notes.0
    );
    assert_eq!(study.trials()[0].status, Status::Failed);
    let mut fake = Fake::default();
    let (study, ..) = run(folder.path(), header, &mut fake);
    assert_eq!((study.trials()[0].status, fake.trained[&0]), (Status::Completed, EPOCHS));
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = Study::open(folder.path(), header(5)).unwrap();
    let before = journal(folder.path());
    let mut wrong = header(5);
    wrong.config.beta = f64::INFINITY;
    let error = study.settle(wrong).unwrap_err();
    assert!(matches!(error, StudyError::Unwritable { .. }), "{error}");
    assert_eq!(journal(folder.path()), before);
}

#[derive(Default)]
struct Copies(Vec<String>);

impl Derive for Copies {
    fn changed(&mut self, study: &Study, trials: &[usize]) -> Result<(), FileError> {
        // What it hears of is on the disk.
        assert_eq!(Study::read(study.folder()).unwrap().trials(), study.trials());
        self.0.push(format!("{trials:?}"));
        Ok(())
    }

    fn all(&mut self, study: &Study) -> Result<(), FileError> {
        self.0.push(format!("all {}", study.trials().len()));
        Ok(())
    }
}

#[test]
fn files_for_other_programs_follow_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(3);
    header.config.together = 3;
    let mut study = Study::open(folder.path(), header).unwrap();
    let mut copies = Copies::default();
    for _ in 0..2 {
        let (mut fake, mut rest) = (Fake::default(), nosy());
        let crew = Crew { derive: &mut copies, ..crew(&mut fake, &mut rest) };
        work_by(&Hand::default(), &mut study, crew, &options("w")).unwrap();
    }
    assert_eq!(copies.0, ["all 0", "[0, 1, 2]", "[0, 1]", "[2]", "[2]", "all 3"]);
}

#[test]
fn ten_thousand_trials_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = serde_json::to_vec(&Event::Study(Box::new(header(10_001)))).unwrap();
    for n in 0..10_000 {
        let proposed = vec![Trial::new(n, format!("{n:05}"), values(n as f64 / 1e4, 1), None)];
        let begun =
            Begun { lease: n as u64, worker: "w".into(), trials: vec![n], proposed, ..Begun::default() };
        let end = super::event::End::Completed(evaluation(&[("rmse", 1.0 / (n + 1) as f64)]));
        let results = vec![Finish { trial: n, end }];
        for event in [Event::Begun(begun), Event::Finished { lease: n as u64, results }] {
            text.push(b'\n');
            text.extend(serde_json::to_vec(&event).unwrap());
        }
    }
    text.push(b'\n');
    file::write_atomic(&folder.path().join("journal.jsonl"), &text).unwrap();
    let mut fake = Fake::default();
    let (study, all, _) = run(folder.path(), header(10_001), &mut fake);
    assert_eq!((all.unwrap(), fake.calls), (Ended::Complete, vec![vec![10_000]]));
    assert_eq!(study.trials()[10_000].id, "10000");
    assert_eq!(study.trials()[0].values["x"], Value::Float(0.0));
}
