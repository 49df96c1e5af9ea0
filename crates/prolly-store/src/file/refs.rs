//! The file of all refs.
//!
//! ```text
//! prollytree refs 1
//! <value in hex> <name>
//! …
//! checksum <BLAKE3 of all bytes before this line, in hex>
//! ```
//!
//! **Invariant:** lines ascend by name; what does not follow the format byte by byte is damage.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use super::KIND;
use crate::{Error, Result};

const MAGIC: &str = "prollytree refs ";
const VERSION: u32 = 1;

pub(super) fn encode(refs: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut out = format!("{MAGIC}{VERSION}\n");
    for (name, value) in refs {
        value.iter().for_each(|byte| write!(out, "{byte:02x}").expect("writing to a string does not fail"));
        out.extend([" ", name, "\n"]);
    }
    let checksum = blake3::hash(out.as_bytes());
    writeln!(out, "checksum {checksum}").expect("writing to a string does not fail");
    out.into_bytes()
}

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let damaged = |reason: &str| Error::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
    let version = text.strip_prefix(MAGIC).and_then(|rest| rest.split('\n').next());
    match version.and_then(|version| version.parse::<u32>().ok()) {
        Some(VERSION) => {}
        Some(found) if found > VERSION => {
            return Err(Error::NewerStore { path: path.to_owned(), kind: KIND, found, supported: VERSION });
        }
        _ => return Err(damaged("it does not begin as a file of refs")),
    }
    let without_end = text.strip_suffix('\n').ok_or_else(|| damaged("it is truncated"))?;
    let (body, checksum) = without_end.rsplit_once('\n').ok_or_else(|| damaged("it is truncated"))?;
    let expected = blake3::hash(&bytes[..body.len() + 1]).to_hex();
    if checksum.strip_prefix("checksum ") != Some(expected.as_str()) {
        return Err(damaged("its checksum does not match"));
    }
    let mut refs = BTreeMap::new();
    for line in body.split('\n').skip(1) {
        let (value, name) = line.split_once(' ').ok_or_else(|| damaged("it has a line that is no ref"))?;
        let value = decode_hex(value).ok_or_else(|| damaged("a value is not in hex"))?;
        refs.insert(name.to_owned(), value);
    }
    Ok(refs)
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_round_trip_and_any_damage_is_found() {
        let refs: BTreeMap<_, _> = [("a b", vec![]), ("refs/heads/é", vec![0, 255]), ("z", b"text".to_vec())]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        let path = Path::new("/store/refs");
        let bytes = encode(&refs);
        assert_eq!(decode(path, &bytes).unwrap(), refs);
        assert_eq!(decode(path, &encode(&BTreeMap::new())).unwrap(), BTreeMap::new());
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            for bad in [&flipped[..], &bytes[..at]] {
                let error = decode(path, bad).unwrap_err().to_string();
                assert!(error.contains("/store/refs"), "byte {at}: {error}");
            }
        }
        let newer = String::from_utf8(bytes).unwrap().replacen("refs 1", "refs 2", 1);
        assert!(matches!(decode(path, newer.as_bytes()), Err(Error::NewerStore { found: 2, .. })));
    }
}
