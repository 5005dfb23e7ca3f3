//! The journal on disk: whole lines are the truth, a torn last line never happened.

use std::path::{Path, PathBuf};

use super::error::StudyError;
use super::event::Event;
use crate::file::{self, FileError, Journal};

const NAME: &str = "journal.jsonl";

/// A reader of whole lines that may also append, while it holds the study's lock and has read all.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    path: PathBuf,
    /// Bytes and lines that were read, all of them whole.
    at: u64,
    lines: usize,
    out: Option<Journal>,
    /// Bytes that a test lets be written before the disk is full.
    #[cfg(test)]
    pub(super) room: Option<usize>,
}

impl Log {
    /// Returns a reader at the beginning of the journal of `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            path: folder.join(NAME),
            at: 0,
            lines: 0,
            out: None,
            #[cfg(test)]
            room: None,
        }
    }

    /// Returns how far was read [bytes].
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Hands each event that was not read yet to `hear`, which says what is wrong with it, if anything.
    pub(super) fn follow(
        &mut self,
        mut hear: impl FnMut(Event) -> Result<(), String>,
    ) -> Result<(), StudyError> {
        let length = std::fs::metadata(&self.path).map_or(0, |m| m.len());
        if length < self.at {
            return Err(self.corrupt(format!("it had {} bytes and now has {length}", self.at)));
        }
        if length == self.at {
            return Ok(());
        }
        let bytes = file::read_from(&self.path, self.at)?;
        let mut lines = bytes.split_inclusive(|b| *b == b'\n').peekable();
        while let Some(line) = lines.next() {
            let Some(event) = self.understand(line, lines.peek().is_none())? else { break };
            hear(event).map_err(|why| self.corrupt(why))?;
            self.at += line.len() as u64;
            self.lines += 1;
        }
        Ok(())
    }

    /// Appends `event` and, if `sync`, returns when it is on the disk; what is torn at the end is cut off before.
    pub(super) fn append(&mut self, event: &Event, sync: bool) -> Result<(), StudyError> {
        let mut line = serde_json::to_vec(event).unwrap_or_default();
        if serde_json::from_slice::<Event>(&line).ok().as_ref() != Some(event) {
            return Err(StudyError::Unwritable { what: event.kind() });
        }
        line.push(b'\n');
        let appended = self.write(&line);
        if appended.is_err() {
            // Where even this fails, the next writer cuts.
            let _ = self.out.as_mut().map(|out| out.cut(self.at));
        }
        // A whole line that cannot be synced stays, since others may have read it: the next look finds it.
        let synced = appended.and_then(|()| self.out.as_mut().filter(|_| sync).map_or(Ok(()), Journal::sync));
        synced.map_err(|source| StudyError::Append { folder: self.folder.clone(), source })?;
        self.at += line.len() as u64;
        self.lines += 1;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> Result<(), FileError> {
        if self.out.is_none() {
            self.out = Some(Journal::open(&self.path, self.at)?);
        }
        let out = self.out.as_mut().expect("it was just opened");
        out.cut(self.at)?;
        #[cfg(test)]
        if let Some(room) = self.room.filter(|room| *room < line.len()) {
            out.append(&line[..room])?;
            return Err(FileError::write(&self.path, std::io::ErrorKind::StorageFull.into()));
        }
        out.append(line)
    }

    /// Returns the event of a line; `None` where the line is the last one and torn.
    fn understand(&self, line: &[u8], is_last: bool) -> Result<Option<Event>, StudyError> {
        if !line.ends_with(b"\n") {
            return Ok(None);
        }
        match serde_json::from_slice(line) {
            Ok(event) => Ok(Some(event)),
            // A power cut may keep the end of a line without its beginning.
            Err(e) if is_last && !e.is_data() => Ok(None),
            Err(e) => Err(self.corrupt(format!("{e}, unless a newer fadecast wrote it"))),
        }
    }

    fn corrupt(&self, why: String) -> StudyError {
        StudyError::Corrupt { path: self.path.clone(), line: self.lines + 1, why }
    }
}
