//! Compresses objects for a pack, in the zlib format that Git prescribes.
//!
//! Random bytes cost a compressor the most time for nothing, and keys, values and hashes often are; so the bytes of a
//! sample are counted, and an object in which all occur about as often is stored as it is.

use gix_object::Kind;
use gix_zlib::{
    Compression, Status,
    stream::deflate::{Compress, FlushCompress},
};

use crate::{Error, Result};

/// For blobs that can be compressed; takes twice the time of level 1, and a third off its results.
const LEVEL: i32 = 2;
/// How much of a blob is looked at, in bytes; shorter ones are compressed at once.
const SAMPLE_BYTES: usize = 1024;
/// The sum of the squared numbers of times that each byte occurs in a sample: 5,116 is expected of random bytes, 16,000
/// of base64, more of text.
const SQUARES_OF_NOISE: u64 = 8_000;
/// What it costs to store up to a block.
const STORED_BYTES: usize = 11;
/// The longest block that is stored as it is.
const BLOCK_BYTES_MAX: usize = u16::MAX as usize;
/// Says: deflate, a window of 32 KiB, the fastest level.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];

/// A compressor, whose tables are made once.
pub(in super::super) struct Compressor {
    quick: Compress,
    thorough: Compress,
    /// A buffer that the packs written one after the other share.
    pub(super) buffer: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self {
            quick: Compress::new(Compression::BEST_SPEED),
            thorough: Compress::new(Compression::new(LEVEL).expect("2 is a level")),
            buffer: Vec::new(),
        }
    }
}

impl Compressor {
    /// Compresses `content`, or stores it where that is as good; `out` is replaced.
    pub(super) fn compress(&mut self, kind: Kind, content: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if kind == Kind::Blob && content.len() >= SAMPLE_BYTES {
            if is_noise(content) {
                store(content, out);
                return Ok(());
            }
            return deflate(&mut self.thorough, content, out);
        }
        // Half of a tree is names and half is ids, which are noise.
        deflate(&mut self.quick, content, out)?;
        if out.len() > content.len() + STORED_BYTES {
            store(content, out);
        }
        Ok(())
    }
}

/// Whether the bytes in the middle look random.
fn is_noise(content: &[u8]) -> bool {
    let start = (content.len() - SAMPLE_BYTES) / 2;
    let mut counts = [0u32; 256];
    for byte in &content[start..start + SAMPLE_BYTES] {
        counts[usize::from(*byte)] += 1;
    }
    counts.iter().map(|count| u64::from(*count).pow(2)).sum::<u64>() < SQUARES_OF_NOISE
}

fn deflate(compress: &mut Compress, content: &[u8], out: &mut Vec<u8>) -> Result<()> {
    compress.reset();
    // Mostly enough; data that cannot be compressed grows a little.
    out.resize(content.len() + content.len() / 16 + 64, 0);
    let len = |total: u64| usize::try_from(total).expect("both buffers are in memory");
    loop {
        let (read, written) = (len(compress.total_in()), len(compress.total_out()));
        let status = compress
            .compress(&content[read..], &mut out[written..], FlushCompress::Finish)
            .map_err(|error| Error::GitObject {
                action: "compress",
                object: format!("of {} bytes", content.len()),
                source: Box::new(error),
            })?;
        if status == Status::StreamEnd {
            out.truncate(len(compress.total_out()));
            return Ok(());
        }
        out.resize(out.len() * 2, 0);
    }
}

/// Writes `content` as a zlib stream of stored blocks.
fn store(content: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&ZLIB_HEADER);
    let mut blocks = content.chunks(BLOCK_BYTES_MAX).peekable();
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).expect("a block is no longer");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&adler32(content).to_be_bytes());
}

fn adler32(content: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    /// So many bytes can be summed up before the sums may overflow.
    const RUN: usize = 5_552;
    let (mut a, mut b) = (1u32, 0u32);
    for run in content.chunks(RUN) {
        for byte in run {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_or_stored_inflates_again() {
        let mut compressor = Compressor::default();
        let mut state = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(200_000)
        .collect();
        let text = b"all work and no play ".repeat(10_000);
        for (source, kind) in [(&noise[..], Kind::Blob), (&text, Kind::Blob), (&noise, Kind::Tree)] {
            for len in [0, 1, 1023, 1024, 8_000, 65_535, 65_536, 131_071, 200_000] {
                let content = &source[..len];
                let mut compressed = Vec::new();
                compressor.compress(kind, content, &mut compressed).unwrap();
                let mut out = vec![0; len + 1];
                let (status, read, written) =
                    gix_zlib::Inflate::default().once(&compressed, &mut out).unwrap();
                assert_eq!((status, read, written), (Status::StreamEnd, compressed.len(), len));
                assert_eq!(&out[..len], content);
                assert!(compressed.len() <= len + len / 1000 + 64, "{len} bytes became {}", compressed.len());
            }
        }
    }
}
