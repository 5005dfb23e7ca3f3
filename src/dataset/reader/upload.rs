//! Files that somebody sent: read from memory, within limits that fit a server, and never unpacked.
//!
//! What a packed or a Parquet file makes of itself is bounded elsewhere by what fits one person's machine; here many may
//! send at a time, so such files are refused with what to send instead.

use std::path::Path;

use super::collect::{self, Input};
use super::{ReadError, arbin, bdf, mat5, mat73, matlab, nasa, nasa_flat};
use crate::dataset::Cell;

/// Most bytes of numbers that a MATLAB file may hold: 256 MiB, NASA's largest has 40 MiB.
const MATLAB_BYTES: u64 = 256 << 20;

/// Name and sentence of each format that can be sent, as `datasets import` calls it.
pub const FORMATS: [(&str, &str); 4] = [
    ("nasa", "NASA PCoE .mat file of one cell or more, version 5 to 7"),
    ("nasa-flat", "NASA PCoE flattened to one CSV of discharges"),
    ("bdf", "Battery Data Format as CSV: one cell, positive current charges"),
    ("arbin", "Arbin's CSV export: one cell"),
];

/// First bytes of what is packed, and what it is called.
const PACKED: [(&[u8], &str); 4] =
    [(b"PK\x03\x04", "a zip"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2")];

/// Reads the cells of a file called `name` in one of [`FORMATS`]; the name stands in errors and names the cell.
///
/// # Errors
/// [`ReadError`] where it is no such file, or one that is not unpacked here.
pub fn read(format: &str, name: &str, bytes: Vec<u8>) -> Result<Vec<Cell>, ReadError> {
    let path = Path::new(name);
    let refused = |found: &str| {
        Err(ReadError::Format { path: path.into(), format: label(format), found: found.into() })
    };
    if let Some((_, kind)) = PACKED.iter().find(|(begin, _)| bytes.starts_with(begin)) {
        return refused(&format!("it is {kind}; unpack it before you send it"));
    }
    if bytes.is_empty() {
        return refused("it is empty");
    }
    match format {
        "nasa" if mat73::is_hdf5(&bytes) => refused("it is of version 7.3; save it with `-v7`"),
        "nasa" => {
            matlab::read_variables_within(path, &bytes, &limits()).and_then(|v| nasa::of_variables(path, v))
        }
        "nasa-flat" => nasa_flat::cells(path, &bytes, &super::ReadOptions::default()),
        "bdf" if bytes.starts_with(b"PAR1") => refused("it is Parquet; send it as CSV"),
        "bdf" => bdf::read_cell(input(path, bytes)),
        "arbin" => arbin::read_cell(input(path, bytes)),
        _ => refused("no file of this format can be sent"),
    }
}

fn label(format: &str) -> &'static str {
    FORMATS.iter().find(|(name, _)| *name == format).map_or("known", |(name, _)| name)
}

fn limits() -> mat5::Limits {
    let (value_bytes, inflated_bytes) = (MATLAB_BYTES, MATLAB_BYTES);
    mat5::Limits { value_bytes, inflated_bytes, unread_fields: &nasa::UNREAD, ..mat5::Limits::default() }
}

fn input(path: &Path, bytes: Vec<u8>) -> Input {
    Input { path: path.into(), stem: collect::stem(&path.to_string_lossy()), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::reader::{ReadOptions, Reader, registry};
    use std::path::PathBuf;

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    #[test]
    fn every_format_is_a_reader_of_the_same_name() {
        for (name, sentence) in FORMATS {
            assert_eq!(registry::find(name).unwrap().name(), name);
            assert!(!sentence.ends_with('.'));
        }
    }

    #[test]
    fn a_file_from_memory_is_the_cell_that_is_read_from_the_disk() {
        let path = fixture("mat/nasa_z.mat");
        let whole =
            nasa::Nasa.read(std::slice::from_ref(&path), &ReadOptions::default(), &mut |_| ()).unwrap();
        let sent = read("nasa", "B0005.mat", std::fs::read(path).unwrap()).unwrap();
        assert_eq!(format!("{sent:?}"), format!("{whole:?}"));
    }

    #[test]
    fn what_is_packed_or_empty_or_of_no_format_is_refused() {
        let version73 = std::fs::read(fixture("mat/nasa_v73.mat")).unwrap();
        let cases: [(&str, Vec<u8>, &str); 6] = [
            ("nasa", b"PK\x03\x04....".to_vec(), "unpack"),
            ("bdf", b"\x1f\x8b\x08".to_vec(), "unpack"),
            ("bdf", b"PAR1...PAR1".to_vec(), "CSV"),
            ("arbin", Vec::new(), "empty"),
            ("nasa", version73, "-v7"),
            ("inputs", b"a,b\n1,2\n".to_vec(), "format"),
        ];
        for (format, bytes, said) in cases {
            let error = read(format, "sent.bin", bytes).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("sent.bin"), "{format}: {error}");
        }
    }
}
