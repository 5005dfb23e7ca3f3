//! Arrays: flags, size, name and then numbers, characters, or further arrays.

use super::stream::{Storage, Stream};
use super::{Limits, Mat5Error};
use crate::dataset::reader::matlab::Value;

/// Element type of an array.
pub(super) const MATRIX: u32 = 14;

/// Element type of a compressed array.
pub(super) const COMPRESSED: u32 = 15;

/// Bit of the array flags that says there are imaginary parts.
const COMPLEX: u32 = 0x800;

/// Most axes of an array; MATLAB itself has no such limit, nobody uses ten.
const MAX_AXES: u64 = 32;

/// What is left of the [`Limits`].
pub(super) struct Budget {
    limits: Limits,
    inflated: u64,
    values: u64,
}

impl Budget {
    /// Returns all of `limits`.
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), inflated: limits.inflated_bytes, values: limits.value_bytes }
    }

    /// Returns the bytes that a variable of `packed` bytes may inflate to.
    pub(super) fn inflated_allowed(&self, packed: u64) -> u64 {
        let by_ratio = packed.saturating_mul(self.limits.inflated_ratio);
        self.inflated.min(self.limits.inflated_bytes_free.saturating_add(by_ratio))
    }
}

/// Reads the array of `length` bytes that is next in `stream`, and checks how the stream ends.
pub(super) fn variable(
    stream: Stream<'_>,
    length: u64,
    budget: &mut Budget,
) -> Result<(String, Value), Mat5Error> {
    let mut reader = ArrayReader { stream, budget };
    reader.stream.need(length, "an array")?;
    let end = reader.stream.position() + length;
    let variable = reader.array(end, 0)?;
    let ArrayReader { stream, budget } = reader;
    budget.inflated = budget.inflated.saturating_sub(stream.inflated());
    stream.finish()?;
    Ok(variable)
}

struct ArrayReader<'a, 'b> {
    stream: Stream<'a>,
    budget: &'b mut Budget,
}

/// Head of an element: its data come next.
struct Element {
    kind: u32,
    length: u64,
    padding: u64,
}

impl ArrayReader<'_, '_> {
    /// Reads the head of the next element, which must end at `end` or before.
    fn element(&mut self, end: u64) -> Result<Element, Mat5Error> {
        let place = self.stream.place();
        let remaining = end.saturating_sub(self.stream.position());
        if remaining < 8 {
            return Err(Mat5Error::Truncated { place, what: "an element's head", needed: 8, remaining });
        }
        let head = self.stream.u32()?;
        if head >> 16 != 0 {
            let length = u64::from(head >> 16);
            if length > 4 {
                return Err(Mat5Error::Count { place, what: "length of a small element", found: length });
            }
            return Ok(Element { kind: head & 0xffff, length, padding: 4 - length });
        }
        let length = u64::from(self.stream.u32()?);
        let remaining = remaining - 8;
        if length > remaining {
            return Err(Mat5Error::Truncated { place, what: "an element", needed: length, remaining });
        }
        let padding = (length.wrapping_neg() % 8).min(remaining - length);
        Ok(Element { kind: head, length, padding })
    }

    /// Reads the numbers of the next element.
    fn numbers(&mut self, end: u64) -> Result<Vec<f64>, Mat5Error> {
        let place = self.stream.place();
        let element = self.element(end)?;
        let Some(storage) = Storage::of(element.kind) else {
            return Err(Mat5Error::Type { place, found: element.kind, expected: "numbers" });
        };
        if element.length % storage.size() as u64 != 0 {
            let found = element.length;
            return Err(Mat5Error::Count { place, what: "length of whole numbers", found });
        }
        let count = element.length as usize / storage.size();
        self.charge(count as u64 * 8)?;
        let numbers = self.stream.numbers(storage, count)?;
        self.stream.skip(element.padding)?;
        Ok(numbers)
    }

    /// Reads the next element as bytes up to the first NUL, one character each or UTF-8.
    fn name(&mut self, end: u64) -> Result<String, Mat5Error> {
        let bytes = self.raw(end)?;
        Ok(name_text(&bytes))
    }

    /// Reads the bytes of the next element.
    fn raw(&mut self, end: u64) -> Result<Vec<u8>, Mat5Error> {
        let element = self.element(end)?;
        let bytes = self.stream.bytes(element.length as usize)?;
        self.stream.skip(element.padding)?;
        Ok(bytes)
    }

    /// Takes `bytes` of memory from the budget.
    fn charge(&mut self, bytes: u64) -> Result<(), Mat5Error> {
        let (place, limit) = (self.stream.place(), self.budget.limits.value_bytes);
        let left = self.budget.values.checked_sub(bytes);
        self.budget.values = left.ok_or(Mat5Error::Limit { place, what: "bytes of values", limit })?;
        Ok(())
    }

    /// Reads an array that ends at `end`, `depth` arrays inside others; returns its name and value.
    fn array(&mut self, end: u64, depth: u32) -> Result<(String, Value), Mat5Error> {
        let limit = self.budget.limits.depth;
        if depth > limit {
            let place = self.stream.place();
            return Err(Mat5Error::Limit { place, what: "arrays inside each other", limit: limit.into() });
        }
        self.charge(size_of::<Value>() as u64)?;
        if self.stream.position() == end {
            return Ok((String::new(), Value::empty()));
        }
        let flags = self.flags(end)?;
        let dims = if flags & 0xff == 17 { Vec::new() } else { self.dims(end)? };
        let name = self.name(end)?;
        let value = self.value(flags, dims, end, depth)?;
        self.stream.skip(end - self.stream.position())?;
        Ok((name, value))
    }

    fn value(&mut self, flags: u32, dims: Vec<usize>, end: u64, depth: u32) -> Result<Value, Mat5Error> {
        match flags & 0xff {
            1 => self.cells(dims, end, depth),
            2 => self.structs(dims, end, depth),
            3 => {
                let _class = self.name(end)?;
                self.structs(dims, end, depth)
            }
            4 => self.characters(dims, end),
            5 => Ok(Value::Unsupported { what: "sparse array" }),
            6..=15 => self.numeric(dims, flags & COMPLEX != 0, end),
            16 => Ok(Value::Unsupported { what: "function handle" }),
            17 => Ok(Value::Unsupported { what: "object of a class" }),
            found => {
                let place = self.stream.place();
                Err(Mat5Error::Count { place, what: "class of an array", found: found.into() })
            }
        }
    }

    fn flags(&mut self, end: u64) -> Result<u32, Mat5Error> {
        let place = self.stream.place();
        let element = self.element(end)?;
        if element.kind != 6 || element.length < 4 {
            return Err(Mat5Error::Type { place, found: element.kind, expected: "array flags" });
        }
        let flags = self.stream.u32()?;
        self.stream.skip(element.length - 4 + element.padding)?;
        Ok(flags)
    }

    /// Reads the size along each axis; their product is known not to overflow.
    fn dims(&mut self, end: u64) -> Result<Vec<usize>, Mat5Error> {
        let place = self.stream.place();
        let wrong = |what, found| Mat5Error::Count { place, what, found };
        let element = self.element(end)?;
        if !matches!(element.kind, 5 | 6) {
            return Err(Mat5Error::Type { place, found: element.kind, expected: "the size of an array" });
        }
        let n_axes = element.length / 4;
        if !(2..=MAX_AXES).contains(&n_axes) {
            return Err(wrong("number of axes", n_axes));
        }
        let mut dims = Vec::with_capacity(n_axes as usize);
        for _ in 0..n_axes {
            let size = self.stream.u32()?;
            let size = i32::try_from(size).map_err(|_| wrong("size", size.into()))?;
            dims.push(size as usize);
        }
        self.stream.skip(element.length % 4 + element.padding)?;
        let product = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        let limit = usize::MAX as u64;
        product.ok_or(Mat5Error::Limit { place, what: "elements of an array", limit })?;
        Ok(dims)
    }

    fn numeric(&mut self, dims: Vec<usize>, complex: bool, end: u64) -> Result<Value, Mat5Error> {
        let real = self.part(&dims, end)?;
        let imag = if complex { Some(self.part(&dims, end)?) } else { None };
        Ok(Value::Numeric { dims, real, imag })
    }

    /// Reads the real or the imaginary parts, as many as `dims` says.
    fn part(&mut self, dims: &[usize], end: u64) -> Result<Vec<f64>, Mat5Error> {
        let place = self.stream.place();
        let count = dims.iter().product::<usize>();
        if count == 0 && self.stream.position() == end {
            return Ok(Vec::new());
        }
        let numbers = self.numbers(end)?;
        if numbers.len() != count {
            let found = numbers.len() as u64;
            return Err(Mat5Error::Count { place, what: "number of numbers for the array's size", found });
        }
        Ok(numbers)
    }

    fn characters(&mut self, dims: Vec<usize>, end: u64) -> Result<Value, Mat5Error> {
        if dims.contains(&0) && self.stream.position() == end {
            return Ok(Value::Char { dims, text: String::new() });
        }
        let place = self.stream.place();
        let element = self.element(end)?;
        let length = element.length as usize;
        let Some(storage) = Storage::of(element.kind).filter(|s| s.size() <= 4) else {
            return Err(Mat5Error::Type { place, found: element.kind, expected: "characters" });
        };
        self.charge(4 * element.length)?;
        let text = if element.kind == 16 {
            String::from_utf8_lossy(&self.stream.bytes(length)?).into_owned()
        } else {
            characters(storage, &self.stream.numbers(storage, length / storage.size())?)
        };
        self.stream.skip(element.length % storage.size() as u64 + element.padding)?;
        Ok(Value::Char { dims, text })
    }

    fn cells(&mut self, dims: Vec<usize>, end: u64, depth: u32) -> Result<Value, Mat5Error> {
        let count = dims.iter().product();
        Ok(Value::Cell { dims, values: self.arrays(count, &[], end, depth)? })
    }

    fn structs(&mut self, dims: Vec<usize>, end: u64, depth: u32) -> Result<Value, Mat5Error> {
        let fields = self.field_names(end)?;
        let count = dims.iter().product::<usize>().saturating_mul(fields.len());
        let unread = self.budget.limits.unread_fields;
        let unread: Vec<bool> = fields.iter().map(|f| unread.contains(&f.as_str())).collect();
        let values = self.arrays(count, &unread, end, depth)?;
        Ok(Value::Struct { dims, fields, values })
    }

    fn field_names(&mut self, end: u64) -> Result<Vec<String>, Mat5Error> {
        let place = self.stream.place();
        let width = self.numbers(end)?;
        let bytes = self.raw(end)?;
        let width = width.first().map_or(0, |&w| w as usize);
        if width == 0 && !bytes.is_empty() || width != 0 && bytes.len() % width != 0 {
            let found = width as u64;
            return Err(Mat5Error::Count { place, what: "length of a field name", found });
        }
        let count = bytes.len().checked_div(width).unwrap_or(0);
        self.charge((count * size_of::<String>()) as u64)?;
        Ok(bytes.chunks(width.max(1)).map(name_text).collect())
    }

    /// Reads `count` arrays that stand one after the other, but for the `unread` ones of each round.
    fn arrays(
        &mut self,
        count: usize,
        unread: &[bool],
        end: u64,
        depth: u32,
    ) -> Result<Vec<Value>, Mat5Error> {
        let remaining = end - self.stream.position();
        let needed = (count as u64).saturating_mul(8);
        if needed > remaining {
            let place = self.stream.place();
            return Err(Mat5Error::Truncated { place, what: "elements of an array", needed, remaining });
        }
        self.stream.need(needed, "elements of an array")?;
        let mut values = Vec::with_capacity(count);
        for i in 0..count {
            let place = self.stream.place();
            let element = self.element(end)?;
            if element.kind != MATRIX {
                return Err(Mat5Error::Type { place, found: element.kind, expected: "an array" });
            }
            let inner_end = self.stream.position() + element.length;
            if i.checked_rem(unread.len()).is_some_and(|field| unread[field]) {
                self.stream.skip(element.length)?;
                values.push(Value::Unsupported { what: "unread field" });
            } else {
                values.push(self.array(inner_end, depth + 1)?.1);
            }
            self.stream.skip(element.padding)?;
        }
        Ok(values)
    }
}

/// Returns the characters of a text that is stored as numbers: Latin-1, UTF-16 or UTF-32.
fn characters(storage: Storage, numbers: &[f64]) -> String {
    match storage.size() {
        2 => char::decode_utf16(numbers.iter().map(|&n| n as u16))
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        _ => {
            numbers.iter().map(|&n| char::from_u32(n as u32).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
    }
}

fn name_text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
