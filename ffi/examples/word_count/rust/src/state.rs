//! The state that survives a restart, version 1: for each word, in ascending order, its length (u32), its count (u64),
//! flags (u8: 1 was emitted, 2 has changed since), and its bytes. Little-endian.

use std::collections::{BTreeMap, BTreeSet};

use crate::Count;

pub const VERSION: u32 = 1;

const WAS_EMITTED: u8 = 1;
const HAS_CHANGED: u8 = 2;

type Counts = BTreeMap<Vec<u8>, Count>;
type Changed = BTreeSet<Vec<u8>>;

pub fn encode(counts: &Counts, changed: &Changed) -> Vec<u8> {
    let mut data = Vec::new();
    for (word, count) in counts {
        let emitted = if count.was_emitted { WAS_EMITTED } else { 0 };
        let changed = if changed.contains(word) { HAS_CHANGED } else { 0 };
        data.extend_from_slice(&(word.len() as u32).to_le_bytes());
        data.extend_from_slice(&count.total.to_le_bytes());
        data.push(emitted | changed);
        data.extend_from_slice(word);
    }
    data
}

/// `None` where the bytes do not fit together.
pub fn decode(mut data: &[u8]) -> Option<(Counts, Changed)> {
    let (mut counts, mut changed) = (Counts::new(), Changed::new());
    while !data.is_empty() {
        let (length, rest) = data.split_first_chunk()?;
        let (total, rest) = rest.split_first_chunk()?;
        let (&flags, rest) = rest.split_first()?;
        let (word, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let total = u64::from_le_bytes(*total);
        let is_next = counts.last_key_value().is_none_or(|(last, _)| last.as_slice() < word);
        if word.is_empty() || total == 0 || flags > 3 || !is_next {
            return None;
        }
        let was_emitted = flags & WAS_EMITTED != 0;
        counts.insert(word.to_vec(), Count { total, was_emitted });
        if flags & HAS_CHANGED != 0 {
            changed.insert(word.to_vec());
        }
        data = rest;
    }
    Some((counts, changed))
}
