//! Compressed snapshots: made-up ones are refused or decompressed, in bounded time; what is compressed comes
//! back, and is what the compressed bytes alone mean.
#![no_main]

use arbitrary::Arbitrary;
use cute_net::snapshot::{compress, decompress};
use cute_net_fuzz::damage::{Edit, damage};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    MadeUp {
        compressed: Vec<u8>,
        length: u16,
        base: Option<u8>,
    },
    Written {
        baseline: Option<Vec<u8>>,
        current: Vec<u8>,
        changes: Vec<Edit>,
        room: u16,
        damage: Vec<Edit>,
    },
}

fuzz_target!(|input: Input| match input {
    Input::MadeUp { compressed, length, base } => {
        let mut out = vec![0; usize::from(length % 4096)];
        let baseline = base.map(|base| vec![base; out.len()]);
        if decompress(baseline.as_deref(), &compressed, &mut out).is_ok() {
            check(baseline.as_deref(), &out, Some(&compressed));
        }
    }
    Input::Written { baseline, mut current, changes, room, damage: edits } => {
        let baseline = baseline.map(|mut baseline| {
            // Snapshots that differ little are the rule.
            if baseline.is_empty() {
                baseline.clone_from(&current);
                damage(&mut current, &changes);
            }
            baseline.resize(current.len(), 0);
            baseline
        });
        let mut compressed = check(baseline.as_deref(), &current, None);
        let fits = compress(baseline.as_deref(), &current, &mut vec![0; usize::from(room)]);
        assert!(fits.is_none_or(|size| size <= usize::from(room) && size <= current.len()));
        damage(&mut compressed, &edits);
        let mut out = vec![0; current.len()];
        let _ = decompress(baseline.as_deref(), &compressed, &mut out);
    }
});

/// Compresses a snapshot, which gives `expected`, and decompresses it again.
fn check(baseline: Option<&[u8]>, current: &[u8], expected: Option<&[u8]>) -> Vec<u8> {
    let mut compressed = vec![0; current.len()];
    let size = compress(baseline, current, &mut compressed).expect("never longer than the snapshot");
    compressed.truncate(size);
    if let Some(expected) = expected.filter(|expected| expected.len() < current.len()) {
        assert_eq!(compressed, expected, "one snapshot has two forms");
    }
    let mut out = vec![0xEE; current.len()];
    assert_eq!(decompress(baseline, &compressed, &mut out), Ok(()));
    assert_eq!(out, current);
    compressed
}
