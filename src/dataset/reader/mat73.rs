//! MATLAB version 7.3 files (`save -v7.3`), which are HDF5: bytes in, the same tree of values out.
//!
//! HDF5 lists axes slowest first and MATLAB fastest first, so sizes are turned round and the numbers stay as they
//! are. Cells and fields of struct arrays are object references, which are followed. Fields come in the order of
//! their names.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_pure::{
    AttrValue, CompoundMember, DType, Dataset, Datatype, DatatypeByteOrder, Error, File, Group, Object,
};

use super::matlab::Value;

/// Most bytes that the values of a file may take however small it is, and for each byte of the file beyond.
const VALUE_BYTES: (u64, u64) = (64 << 20, 200);

/// Bytes of a file for each of its objects, at least: a header alone takes more.
const OBJECT_BYTES: u64 = 16;

/// Most arrays inside each other.
const MAX_DEPTH: u32 = 64;

/// Names in the root that are MATLAB's own bookkeeping.
const HIDDEN: [&str; 2] = ["#refs#", "#subsystem#"];

/// Why bytes are no readable MATLAB version 7.3 file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mat73Error {
    /// Occurs when HDF5 itself is broken or of a kind that is not read.
    #[error("HDF5: {source}")]
    Hdf5 {
        /// Variable and fields, `batch/cycles`.
        place: String,
        /// What the HDF5 library said.
        #[source]
        source: Error,
    },
    /// Occurs when a file makes more of itself than it may, references that go in circles included.
    #[error("more than {limit} {what}: this looks like a trap, not like data")]
    Limit {
        /// Variable and fields.
        place: String,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Occurs when the file has no struct array of the name that is asked for.
    #[error("no struct array `{name}` with `{field}`; it has {present}")]
    NoVariable {
        /// Variable that is missing.
        name: String,
        /// Field of it that is needed.
        field: String,
        /// Variables, or fields of that variable, that are there.
        present: String,
    },
}

impl Mat73Error {
    /// Returns the variable and fields where the file is broken.
    pub fn place(&self) -> &str {
        match self {
            Self::Hdf5 { place, .. } | Self::Limit { place, .. } => place,
            Self::NoVariable { name, .. } => name,
        }
    }
}

/// Bytes at the begin of a file that tell whether it is HDF5 behind MATLAB's 512 bytes of text.
pub const SIGNATURE_BYTES: u64 = 520;

/// Tells whether `bytes` are HDF5, possibly behind MATLAB's 512 bytes of text.
pub fn is_hdf5(bytes: &[u8]) -> bool {
    hdf5_pure::is_hdf5_bytes(bytes)
}

/// Reads all variables of a file in order of their names.
///
/// # Errors
/// [`Mat73Error`], with the variable and field where it is.
pub fn parse(bytes: Vec<u8>) -> Result<Vec<(String, Value)>, Mat73Error> {
    let limit = bytes.len() as u64 * VALUE_BYTES.1 + VALUE_BYTES.0;
    let objects = bytes.len() as u64 / OBJECT_BYTES;
    let at = |source| Mat73Error::Hdf5 { place: "its root".into(), source };
    let file = File::from_bytes(bytes).map_err(at)?;
    let mut tree = Tree { limit, left: limit, max_objects: objects, objects, unread: &[] };
    let mut variables = tree.children(&file.root(), "", 0)?;
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(variables)
}

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
        let limit = n_bytes * VALUE_BYTES.1 + VALUE_BYTES.0;
        let objects = n_bytes / OBJECT_BYTES;
        let tree = Tree { limit, left: limit, max_objects: objects, objects, unread };
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

/// What a file may still make of itself: bytes of values, and objects, so that circles of references end.
struct Tree {
    limit: u64,
    left: u64,
    max_objects: u64,
    objects: u64,
    /// Names of fields that are passed over.
    unread: &'static [&'static str],
}

impl Tree {
    fn children(
        &mut self,
        group: &Group,
        place: &str,
        depth: u32,
    ) -> Result<Vec<(String, Value)>, Mat73Error> {
        let at = |source| Mat73Error::Hdf5 { place: place.into(), source };
        let mut children = Vec::new();
        for name in group.groups().map_err(at)? {
            if !HIDDEN.contains(&name.as_str()) {
                let inner = group.group(&name).map_err(at)?;
                let value = self.group(&inner, &below(place, &name), depth + 1)?;
                children.push((name, value));
            }
        }
        for name in group.datasets().map_err(at)? {
            if self.unread.contains(&name.as_str()) {
                continue;
            }
            let inner = group.dataset(&name).map_err(at)?;
            let value = self.dataset(&inner, &below(place, &name), depth + 1)?;
            children.push((name, value));
        }
        Ok(children)
    }

    /// Takes memory for `count` values of `size` bytes from what the file may use.
    fn charge(&mut self, place: &str, count: u64, size: usize) -> Result<(), Mat73Error> {
        let left = self.left.checked_sub(count.saturating_mul(size as u64));
        let (what, limit) = ("bytes of values", self.limit);
        self.left = left.ok_or_else(|| Mat73Error::Limit { place: place.into(), what, limit })?;
        Ok(())
    }

    fn enter(&mut self, place: &str, depth: u32) -> Result<(), Mat73Error> {
        if depth > MAX_DEPTH {
            let what = "arrays inside each other";
            return Err(Mat73Error::Limit { place: place.into(), what, limit: MAX_DEPTH.into() });
        }
        let left = self.objects.checked_sub(1);
        let (what, limit) = ("objects", self.max_objects);
        self.objects = left.ok_or_else(|| Mat73Error::Limit { place: place.into(), what, limit })?;
        self.charge(place, 1, size_of::<Value>())
    }

    fn object(&mut self, object: &Object, place: &str, depth: u32) -> Result<Value, Mat73Error> {
        match object {
            Object::Group(group) => self.group(group, place, depth),
            Object::Dataset(dataset) => self.dataset(dataset, place, depth),
            _ => Ok(Value::Unsupported { what: "HDF5 object" }),
        }
    }

    /// Reads a struct: of one element where the fields hold values, an array where all of them hold references.
    fn group(&mut self, group: &Group, place: &str, depth: u32) -> Result<Value, Mat73Error> {
        self.enter(place, depth)?;
        let mut children = self.children(group, place, depth)?;
        children.sort_by(|a, b| a.0.cmp(&b.0));
        let fields = children.iter().map(|(name, _)| name.clone()).collect();
        let columns = children.into_iter().map(|(_, value)| value).collect::<Vec<_>>();
        Ok(match array_dims(&columns) {
            Some(dims) => Value::Struct { dims, fields, values: interleave(columns) },
            None => {
                Value::Struct { dims: vec![1, 1], fields, values: columns.into_iter().map(plain).collect() }
            }
        })
    }

    fn dataset(&mut self, dataset: &Dataset, place: &str, depth: u32) -> Result<Value, Mat73Error> {
        self.enter(place, depth)?;
        let at = |source| Mat73Error::Hdf5 { place: place.into(), source };
        let shape = dataset.shape().map_err(at)?;
        let count = shape.iter().fold(1, |n: u64, &d| n.saturating_mul(d));
        let kind = dataset.dtype().map_err(at)?;
        let attributes = dataset.attrs().map_err(at)?;
        let class = attributes.get("MATLAB_class").and_then(text_of).unwrap_or_default();
        self.charge(place, count, 16)?;
        if attributes.contains_key("MATLAB_empty") {
            return Ok(empty(class, dataset.read_u64().map_err(at)?));
        }
        let dims = dims(&shape);
        match kind {
            DType::ObjectReference => Ok(cell(class, dims, self.references(dataset, place, depth)?)),
            DType::Compound(_) => complex(dataset, dims).map_err(at),
            _ if class == "char" => Ok(characters(dims, &dataset.read_u16().map_err(at)?)),
            DType::String | DType::VariableLengthString => {
                let text = dataset.read_string().map_err(at)?.concat();
                Ok(Value::Char { dims: vec![1, text.chars().count()], text })
            }
            _ if matches!(class, "function_handle" | "string" | "table") => {
                Ok(Value::Unsupported { what: "object of a class" })
            }
            _ => Ok(Value::Numeric { dims, real: dataset.read_f64().map_err(at)?, imag: None }),
        }
    }

    /// Reads what a dataset refers to, element by element.
    fn references(&mut self, dataset: &Dataset, place: &str, depth: u32) -> Result<Vec<Value>, Mat73Error> {
        let at = |source| Mat73Error::Hdf5 { place: place.into(), source };
        let objects = dataset.dereference().map_err(at)?;
        let numbered = objects.iter().enumerate();
        numbered.map(|(i, o)| self.object(o, &format!("{place}({})", i + 1), depth + 1)).collect()
    }
}

/// Returns a cell; a field of a struct array, which has no class of its own, is marked by a cell around it.
fn cell(class: &str, dims: Vec<usize>, values: Vec<Value>) -> Value {
    let cell = Value::Cell { dims, values };
    if class.is_empty() { Value::Cell { dims: Vec::new(), values: vec![cell] } } else { cell }
}

/// Returns the sizes of a struct array when every field is a column of references of the same size.
fn array_dims(columns: &[Value]) -> Option<Vec<usize>> {
    let mut all = columns.iter().map(column);
    let first = all.next()??;
    all.all(|dims| dims == Some(first)).then(|| first.to_vec())
}

/// Returns the sizes of a field of a struct array; `None` for any other value.
fn column(value: &Value) -> Option<&[usize]> {
    match value {
        Value::Cell { dims, values } if dims.is_empty() => match values.as_slice() {
            [Value::Cell { dims, .. }] => Some(dims),
            _ => None,
        },
        _ => None,
    }
}

/// Returns a value without the mark of a struct array's field.
fn plain(value: Value) -> Value {
    match value {
        Value::Cell { dims, mut values } if dims.is_empty() => values.pop().unwrap_or_else(Value::empty),
        other => other,
    }
}

/// Turns one list of elements a field into one list of fields an element.
fn interleave(columns: Vec<Value>) -> Vec<Value> {
    let mut columns = columns
        .into_iter()
        .map(|column| match plain(column) {
            Value::Cell { values, .. } => values.into_iter(),
            _ => Vec::new().into_iter(),
        })
        .collect::<Vec<_>>();
    let count = columns.first().map_or(0, ExactSizeIterator::len);
    (0..count).flat_map(|_| columns.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}

fn below(place: &str, name: &str) -> String {
    if place.is_empty() { name.into() } else { format!("{place}/{name}") }
}

fn text_of(value: &AttrValue) -> Option<&str> {
    match value {
        AttrValue::String(text) | AttrValue::AsciiString(text) => Some(text),
        AttrValue::StringSized { value, .. } | AttrValue::AsciiStringSized { value, .. } => Some(value),
        _ => None,
    }
}

/// Returns MATLAB's sizes for HDF5's.
fn dims(shape: &[u64]) -> Vec<usize> {
    let mut dims = shape.iter().rev().map(|&d| d as usize).collect::<Vec<_>>();
    while dims.len() < 2 {
        dims.insert(0, 1);
    }
    dims
}

/// Returns the empty array of `class`, whose sizes are stored in place of its data.
fn empty(class: &str, sizes: Vec<u64>) -> Value {
    let dims = sizes.into_iter().map(|d| d as usize).collect();
    match class {
        "char" => Value::Char { dims, text: String::new() },
        "cell" => Value::Cell { dims, values: Vec::new() },
        "struct" => Value::Struct { dims, fields: Vec::new(), values: Vec::new() },
        _ => Value::Numeric { dims, real: Vec::new(), imag: None },
    }
}

/// Reads complex numbers: pairs of a real and an imaginary part, as MATLAB stores `double` and `single`.
fn complex(dataset: &Dataset, dims: Vec<usize>) -> Result<Value, Error> {
    let unsupported = Ok(Value::Unsupported { what: "complex array of integers" });
    let Datatype::Compound { size, members } = dataset.datatype()? else { return unsupported };
    let [real, imag] = members.as_slice() else { return unsupported };
    let is_float = |member: &CompoundMember, offset: u32| {
        member.byte_offset == u64::from(offset)
            && matches!(member.datatype, Datatype::FloatingPoint {
                size: bytes, byte_order: DatatypeByteOrder::LittleEndian, ..
            } if bytes == size / 2)
    };
    if !is_float(real, 0) || !is_float(imag, size / 2) {
        return unsupported;
    }
    let raw = dataset.read_raw()?;
    let parts: Vec<f64> = match size {
        16 => raw.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        8 => raw.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        _ => return unsupported,
    };
    let (real, imag) = parts.as_chunks().0.iter().map(|[re, im]| (*re, *im)).unzip();
    Ok(Value::Numeric { dims, real, imag: Some(imag) })
}

fn characters(dims: Vec<usize>, units: &[u16]) -> Value {
    let text =
        char::decode_utf16(units.iter().copied()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Value::Char { dims, text }
}
