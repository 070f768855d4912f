//! Proves in tests that no key and nonce ever protect two different messages: every seal of both protocols is
//! written into the ledger of its thread, and a second message under the same key and nonce ends the test.
//!
//! A ledger begins when a test [opens](open) one: the engines of a test live on its thread and draw their keys from a
//! seed, so that another test may rightly have the same. With `CUTE_NET_NONCE_LEDGER` in the environment every thread
//! has one from its first seal on: programs in C are run that way. It never is in a release build, and unless it is
//! asked for nothing is kept. The last [`ENTRIES`] seals are known, in memory that does not grow.

use super::Key;
use siphasher::sip::SipHasher13;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};

/// Seals that are remembered: 5 MiB.
pub const ENTRIES: usize = 1 << 16;
/// Room in the table. A table more than half full grows where it could clean up after what was removed.
const ROOM: usize = 2 * ENTRIES + 2;

/// Asks for a ledger on every thread.
pub const VARIABLE: &str = "CUTE_NET_NONCE_LEDGER";

thread_local! {
    static LEDGER: RefCell<Option<Ledger>> =
        RefCell::new(std::env::var_os(VARIABLE).map(|_| Ledger::new()));
}

struct Ledger {
    /// What was sealed under a key and a nonce, both as hashes.
    messages: HashMap<u64, u64>,
    /// The pairs, oldest first.
    order: VecDeque<u64>,
    seals: u64,
}

impl Ledger {
    fn new() -> Ledger {
        Ledger {
            messages: HashMap::with_capacity(ROOM),
            order: VecDeque::with_capacity(ENTRIES + 1),
            seals: 0,
        }
    }
}

/// Opens an empty ledger on this thread, in place of the one there may be.
pub fn open() {
    LEDGER.with_borrow_mut(|ledger| {
        let ledger = ledger.get_or_insert_with(Ledger::new);
        ledger.messages.clear();
        ledger.order.clear();
        ledger.seals = 0;
    });
}

/// Seals that the ledger of this thread has seen.
pub fn seals() -> u64 {
    LEDGER.with_borrow(|ledger| ledger.as_ref().map_or(0, |ledger| ledger.seals))
}

/// Stands for a key in the ledger.
#[derive(Clone, Copy, Debug)]
pub struct KeyPrint(u64);

impl KeyPrint {
    /// That of a key, as it is used in `context`.
    pub fn new(key: &Key, context: &[u8]) -> KeyPrint {
        KeyPrint(hash(&[key.as_bytes(), context]))
    }

    /// Notes that `message` is sealed with `associated` under this key and `nonce`.
    pub fn record(self, nonce: &[u8], associated: &[u8], message: &[u8]) {
        // A thread that ends may seal when its ledger is gone.
        let _ = LEDGER.try_with(|ledger| {
            let mut ledger = ledger.borrow_mut();
            let Some(ledger) = &mut *ledger else { return };
            let pair = hash(&[&self.0.to_le_bytes(), nonce]);
            let sealed = hash(&[associated, message]);
            ledger.seals += 1;
            let known = ledger.messages.insert(pair, sealed);
            assert!(
                known.is_none_or(|known| known == sealed),
                "a key and nonce {nonce:x?} would protect two different messages"
            );
            if known.is_none() {
                ledger.order.push_back(pair);
                if ledger.order.len() > ENTRIES
                    && let Some(oldest) = ledger.order.pop_front()
                {
                    ledger.messages.remove(&oldest);
                }
            }
        });
    }
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::cipher::{Cipher, PacketCipher};
    use crate::v1::secretbox::Secretbox;
    use std::panic::catch_unwind;

    fn reuses(seal: impl Fn(u8) + std::panic::RefUnwindSafe) -> bool {
        open();
        seal(1);
        seal(1);
        assert_eq!(seals(), 2, "the same again is the same");
        catch_unwind(|| seal(2)).is_err()
    }

    #[test]
    fn a_second_message_under_a_pair_is_noticed_in_both_protocols() {
        let key = Key::new([5; 32]);
        assert!(reuses(|text| {
            Cipher::new(&key).seal([7; 12], b"", &mut [text; 9]);
        }));
        assert!(reuses(|header| {
            Cipher::new(&key).seal([7; 12], &[header], &mut [0; 9]);
        }));
        assert!(!reuses(|number| {
            Cipher::new(&key).seal([number; 12], b"", &mut [number; 9]);
        }));
        assert!(reuses(|text| {
            Secretbox::new(&key).seal(7, &[1; 20], &mut [text; 9]);
        }));
        assert!(!reuses(|number| {
            Secretbox::new(&key).seal(7, &[number; 20], &mut [number; 9]);
        }));
    }

    /// Not a test by itself: whoever runs it with the variable set must see it fail.
    #[test]
    #[ignore = "fails on purpose where a ledger is asked for"]
    fn reuses_a_nonce() {
        std::thread::spawn(|| {
            Cipher::new(&Key::new([6; 32])).seal([7; 12], b"", &mut [1; 9]);
            Cipher::new(&Key::new([6; 32])).seal([7; 12], b"", &mut [2; 9]);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_program_that_asks_for_a_ledger_has_one_on_every_thread() {
        let passes = |asks: bool| {
            let mut program = std::process::Command::new(std::env::current_exe().unwrap());
            program.args(["--exact", "crypto::nonce_ledger::tests::reuses_a_nonce", "--ignored"]);
            program.env_remove(VARIABLE);
            if asks {
                program.env(VARIABLE, "1");
            }
            let output = program.output().unwrap();
            assert!(String::from_utf8_lossy(&output.stdout).contains("1 test"));
            output.status.success()
        };
        assert!(passes(false) && !passes(true));
    }

    #[test]
    fn memory_has_an_end_and_nothing_is_kept_unless_asked_for() {
        std::thread::spawn(|| {
            KeyPrint(1).record(b"nonce", b"", b"message");
            assert!(seals() == 0 || std::env::var_os(VARIABLE).is_some());
            open();
            let room = || LEDGER.with_borrow(|ledger| ledger.as_ref().unwrap().messages.capacity());
            let before = room();
            for number in 0..10 * ENTRIES as u64 {
                KeyPrint(1).record(&number.to_le_bytes(), b"", b"message");
            }
            assert!(room() <= before);
            LEDGER.with_borrow(|ledger| {
                let ledger = ledger.as_ref().unwrap();
                assert_eq!((ledger.messages.len(), ledger.order.len()), (ENTRIES, ENTRIES));
            });
        })
        .join()
        .unwrap();
    }
}
