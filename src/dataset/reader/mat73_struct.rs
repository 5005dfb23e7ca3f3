//! A struct array of a MATLAB version 7.3 file, one element at a time: for files that do not fit into memory as values.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_pure::{DType, Dataset, Error, File, Object};

use super::mat73::{HIDDEN, Mat73Error, Tree, plain};
use super::matlab::Value;

/// A struct array whose elements are read one at a time, so that no more than one is in memory.
pub struct Elements {
    tree: Tree,
    name: String,
    fields: Vec<(String, Column)>,
    length: usize,
    _file: File,
}

/// A field of a struct array: the objects of its elements, or its value where there is one element.
enum Column {
    Elements(Vec<Object>),
    One(Object),
}

/// Opens the struct array `name` of the file at `path`, which is read as it is needed.
///
/// The first of `fields` must be there; fields of any depth that are called as one of `unread` are passed over.
///
/// # Errors
/// [`Mat73Error`].
pub fn open(
    path: &Path,
    name: &str,
    fields: &[&str],
    unread: &'static [&'static str],
) -> Result<Elements, Mat73Error> {
    let at = |source| Mat73Error::Hdf5 { place: "its root".into(), source };
    let n_bytes = crate::file::size(path);
    Elements::new(File::open_streaming(path).map_err(at)?, n_bytes, name, fields, unread)
}

/// As [`open`], of the bytes of a file.
///
/// # Errors
/// [`Mat73Error`].
pub fn elements(
    bytes: Vec<u8>,
    name: &str,
    fields: &[&str],
    unread: &'static [&'static str],
) -> Result<Elements, Mat73Error> {
    let at = |source| Mat73Error::Hdf5 { place: "its root".into(), source };
    let n_bytes = bytes.len() as u64;
    Elements::new(File::from_bytes(bytes).map_err(at)?, n_bytes, name, fields, unread)
}

impl Elements {
    fn new(
        file: File,
        n_bytes: u64,
        name: &str,
        wanted: &[&str],
        unread: &'static [&'static str],
    ) -> Result<Self, Mat73Error> {
        let at = |source| Mat73Error::Hdf5 { place: name.into(), source };
        let absent = |present: Vec<String>| Mat73Error::NoVariable {
            name: name.into(),
            field: wanted.first().copied().unwrap_or_default().into(),
            present: present.join(", "),
        };
        let root = file.root();
        let groups = root.groups().map_err(at)?;
        if !groups.iter().any(|g| g == name) {
            let shown = groups.into_iter().chain(root.datasets().map_err(at)?);
            return Err(absent(shown.filter(|n| !HIDDEN.contains(&n.as_str())).collect()));
        }
        let group = root.group(name).map_err(at)?;
        let (structs, arrays) = (group.groups().map_err(at)?, group.datasets().map_err(at)?);
        let mut fields = Vec::new();
        for field in wanted {
            let is = |names: &[String]| names.iter().any(|n| n == field);
            if is(&structs) {
                let one = Object::Group(group.group(field).map_err(at)?);
                fields.push(((*field).to_owned(), Column::One(one)));
            } else if is(&arrays) {
                fields.push(((*field).to_owned(), column_of(group.dataset(field).map_err(at)?).map_err(at)?));
            }
        }
        if !fields.iter().any(|(f, _)| Some(&f.as_str()) == wanted.first()) {
            return Err(absent(structs.into_iter().chain(arrays).collect()));
        }
        let length = fields.iter().map(|(_, c)| c.len()).max().unwrap_or(0);
        let tree = Tree::new(n_bytes, unread);
        Ok(Self { tree, name: name.into(), fields, length, _file: file })
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Returns whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads the fields of one element, those that it has.
    ///
    /// # Errors
    /// [`Mat73Error`].
    pub fn read(&mut self, index: usize) -> Result<BTreeMap<String, Value>, Mat73Error> {
        let mut values = BTreeMap::new();
        for (field, column) in &self.fields {
            let object = match column {
                Column::Elements(objects) => objects.get(index),
                Column::One(object) => Some(object).filter(|_| index == 0),
            };
            if let Some(object) = object {
                let place = format!("{}({})/{field}", self.name, index + 1);
                values.insert(field.clone(), plain(self.tree.object(object, &place, 1)?));
            }
        }
        Ok(values)
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Elements(objects) => objects.len(),
            Self::One(_) => 1,
        }
    }
}

fn column_of(dataset: Dataset) -> Result<Column, Error> {
    if matches!(dataset.dtype()?, DType::ObjectReference) {
        return Ok(Column::Elements(dataset.dereference()?));
    }
    Ok(Column::One(Object::Dataset(Box::new(dataset))))
}
