//! Compresses objects for a pack, in the zlib format that Git prescribes.
//!
//! Random bytes cost a compressor the most time for nothing, and keys, values and hashes often are; so a sample decides
//! whether an object is compressed or stored as it is.

use gix_zlib::{
    Compression, Status,
    stream::deflate::{Compress, FlushCompress},
};

use crate::{Error, Result};

/// For what is worth it; takes twice the time of level 1, and a third off its results.
const LEVEL: i32 = 2;
/// Contents of at least this many bytes are compressed only if a sample of them can be.
const SAMPLED_BYTES: usize = 2048;
const SAMPLE_BYTES: usize = 512;
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
    pub(super) fn compress(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if content.len() < SAMPLED_BYTES {
            deflate(&mut self.quick, content, out)?;
            if out.len() > content.len() + STORED_BYTES {
                store(content, out);
            }
            return Ok(());
        }
        let start = (content.len() - SAMPLE_BYTES) / 2;
        deflate(&mut self.quick, &content[start..start + SAMPLE_BYTES], out)?;
        if out.len() < SAMPLE_BYTES - SAMPLE_BYTES / 16 {
            deflate(&mut self.thorough, content, out)
        } else {
            store(content, out);
            Ok(())
        }
    }
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
        for source in [&noise[..], &text] {
            for len in [0, 1, 2047, 2048, 8_000, 65_535, 65_536, 131_071, 200_000] {
                let content = &source[..len];
                let mut compressed = Vec::new();
                compressor.compress(content, &mut compressed).unwrap();
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
