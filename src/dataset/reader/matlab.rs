//! MATLAB variables as a tree of values, whichever version of `.mat` file they come from.

use std::path::Path;

use super::{ReadError, mat5, mat73};

/// Most field names in a message.
const MAX_LISTED: usize = 8;

/// A MATLAB variable, or an element of one. Arrays are column-major, as MATLAB keeps them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Numbers or logicals of any MATLAB class, as `f64` (integers above 2^53 are rounded).
    Numeric {
        /// Size along each axis.
        dims: Vec<usize>,
        /// Real parts; as many as `dims` says.
        real: Vec<f64>,
        /// Imaginary parts of a complex array.
        imag: Option<Vec<f64>>,
    },
    /// Characters.
    Char {
        /// Size along each axis, in characters.
        dims: Vec<usize>,
        /// All characters, column-major.
        text: String,
    },
    /// Cell array.
    Cell {
        /// Size along each axis.
        dims: Vec<usize>,
        /// Elements; as many as `dims` says.
        values: Vec<Value>,
    },
    /// Struct array, or an object read as one.
    Struct {
        /// Size along each axis.
        dims: Vec<usize>,
        /// Names of the fields.
        fields: Vec<String>,
        /// Field `f` of element `e` is at `e * fields.len() + f`.
        values: Vec<Value>,
    },
    /// Something this program does not read; the other variables of the file are read all the same.
    Unsupported {
        /// What it is (`sparse array`).
        what: &'static str,
    },
}

impl Value {
    /// Returns the empty array, `[]`.
    pub fn empty() -> Self {
        Self::Numeric { dims: vec![0, 0], real: Vec::new(), imag: None }
    }

    /// Returns the text of a character row; `None` for anything else.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Char { dims, text } if dims.first().is_none_or(|&n| n <= 1) || text.is_empty() => {
                Some(text)
            }
            _ => None,
        }
    }

    /// Returns the real parts of a numeric array; `None` for anything else.
    pub fn numbers(&self) -> Option<&[f64]> {
        match self {
            Self::Numeric { real, .. } => Some(real),
            _ => None,
        }
    }

    /// Returns the real parts of a numeric array, moved out; `None` for anything else.
    pub fn into_numbers(self) -> Option<Vec<f64>> {
        match self {
            Self::Numeric { real, .. } => Some(real),
            _ => None,
        }
    }

    /// Returns the real part of a numeric array of one element; `None` for anything else.
    pub fn scalar(&self) -> Option<f64> {
        match self.numbers() {
            Some([x]) => Some(*x),
            _ => None,
        }
    }

    /// Returns the number of elements of a struct array (0 without fields) and its field names; `None` for others.
    pub fn as_struct(&self) -> Option<(usize, &[String])> {
        match self {
            Self::Struct { fields, values, .. } => {
                Some((values.len().checked_div(fields.len()).unwrap_or(0), fields))
            }
            _ => None,
        }
    }

    /// Takes field `name` of struct element `index` out, leaving `[]`; `None` where there is none.
    pub fn take_field(&mut self, index: usize, name: &str) -> Option<Value> {
        let Self::Struct { fields, values, .. } = self else { return None };
        let field = fields.iter().position(|f| f == name)?;
        let value = values.get_mut(index.checked_mul(fields.len())?.checked_add(field)?)?;
        Some(std::mem::replace(value, Self::empty()))
    }

    /// Returns what the value is in a few words: `1x616 struct with type, time`.
    pub fn describe(&self) -> String {
        match self {
            Self::Numeric { dims, imag: None, .. } => format!("{} numbers", size(dims)),
            Self::Numeric { dims, .. } => format!("{} complex numbers", size(dims)),
            Self::Char { dims, .. } => format!("{} characters", size(dims)),
            Self::Cell { dims, .. } => format!("{} cell", size(dims)),
            Self::Struct { dims, fields, .. } => format!("{} struct with {}", size(dims), listed(fields)),
            Self::Unsupported { what } => format!("{what}, not supported"),
        }
    }
}

/// Reads all variables of the `.mat` file `bytes`, version 5 (`-v6`, `-v7`) or 7.3; `path` is for the messages.
///
/// Fields of structs that are called as one of `unread` may be [`Value::Unsupported`], which takes no memory.
///
/// # Errors
/// [`ReadError::Format`] where it is no such file, [`ReadError::Damaged`] with the byte where it is broken.
pub fn read_variables(
    path: &Path,
    bytes: Vec<u8>,
    unread: &'static [&'static str],
) -> Result<Vec<(String, Value)>, ReadError> {
    if mat73::is_hdf5(&bytes) {
        return mat73::parse(bytes).map_err(|e| ReadError::Damaged {
            path: path.into(),
            place: e.place().into(),
            found: e.to_string(),
        });
    }
    let limits = mat5::Limits { unread_fields: unread, ..mat5::Limits::default() };
    read_variables_within(path, &bytes, &limits)
}

/// Reads the variables of a file of version 5 to 7, in the order of the file.
///
/// # Errors
/// [`ReadError::Format`] for another file, [`ReadError::Damaged`] for a broken one and one beyond the limits.
pub fn read_variables_within(
    path: &Path,
    bytes: &[u8],
    limits: &mat5::Limits,
) -> Result<Vec<(String, Value)>, ReadError> {
    mat5::parse_within(bytes, limits).map_err(|e| match e.place() {
        Some(place) => {
            ReadError::Damaged { path: path.into(), place: place.to_string(), found: e.to_string() }
        }
        None => ReadError::Format { path: path.into(), format: "MATLAB", found: e.to_string() },
    })
}

/// Returns the first names, and that there are more.
fn listed(names: &[String]) -> String {
    match names.get(..MAX_LISTED) {
        Some(first) if names.len() > MAX_LISTED => {
            format!("{} and {} more", first.join(", "), names.len() - MAX_LISTED)
        }
        _ => names.join(", "),
    }
}

fn size(dims: &[usize]) -> String {
    dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}
