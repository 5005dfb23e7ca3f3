//! MATLAB version 7.3 files (`save -v7.3`), which are HDF5: bytes in, the same tree of values out.
//!
//! HDF5 lists axes slowest first and MATLAB fastest first, so sizes are turned round and the numbers stay as they
//! are. Cells and fields of struct arrays are object references, which are followed. Fields come in the order of
//! their names.

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
pub(super) const HIDDEN: [&str; 2] = ["#refs#", "#subsystem#"];

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
    let mut tree = Tree::new(bytes.len() as u64, &[]);
    let at = |source| Mat73Error::Hdf5 { place: "its root".into(), source };
    let file = File::from_bytes(bytes).map_err(at)?;
    let mut variables = tree.children(&file.root(), "", 0)?;
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(variables)
}

/// What a file may still make of itself: bytes of values, and objects, so that circles of references end.
pub(super) struct Tree {
    limit: u64,
    left: u64,
    max_objects: u64,
    objects: u64,
    /// Names of fields that are passed over.
    unread: &'static [&'static str],
}

impl Tree {
    /// Returns what a file of so many bytes may make of itself; fields that are called as one of `unread` are passed over.
    pub(super) fn new(n_bytes: u64, unread: &'static [&'static str]) -> Self {
        let limit = n_bytes * VALUE_BYTES.1 + VALUE_BYTES.0;
        let objects = n_bytes / OBJECT_BYTES;
        Self { limit, left: limit, max_objects: objects, objects, unread }
    }

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

    pub(super) fn object(&mut self, object: &Object, place: &str, depth: u32) -> Result<Value, Mat73Error> {
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
pub(super) fn plain(value: Value) -> Value {
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
