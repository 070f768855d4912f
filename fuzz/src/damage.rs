//! Edits of what the real writer wrote.

use arbitrary::Arbitrary;

#[derive(Arbitrary, Debug)]
pub enum Edit {
    Flip { at: u16, bit: u8 },
    Set { at: u16, value: u8 },
    Truncate { to: u16 },
    Append { bytes: Vec<u8> },
    Insert { at: u16, bytes: Vec<u8> },
    Remove { at: u16, length: u8 },
    Overwrite { at: u16, bytes: Vec<u8> },
}

/// The longest datagram that edits make.
const LONGEST: usize = 2000;

/// Applies edits; places wrap around.
pub fn damage(bytes: &mut Vec<u8>, edits: &[Edit]) {
    for edit in edits {
        let place = |at: &u16| usize::from(*at) % (bytes.len() + 1);
        match edit {
            Edit::Flip { at, bit } => {
                let at = place(at);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << (bit % 8));
            }
            Edit::Set { at, value } => {
                let at = place(at);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = *value);
            }
            Edit::Truncate { to } => bytes.truncate(place(to)),
            Edit::Append { bytes: more } => bytes.extend_from_slice(more),
            Edit::Insert { at, bytes: more } => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Edit::Remove { at, length } => {
                let at = place(at);
                bytes.drain(at..bytes.len().min(at + usize::from(*length)));
            }
            Edit::Overwrite { at, bytes: other } => {
                let at = place(at);
                for (to, from) in bytes[at..].iter_mut().zip(other) {
                    *to = *from;
                }
            }
        }
        bytes.truncate(LONGEST);
    }
}
