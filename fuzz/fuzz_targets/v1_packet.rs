//! Packets of CUTE 1.00: made-up ones, those of the real writer, whole and damaged, and those of a peer that
//! holds the key and seals any content.
#![no_main]

use arbitrary::Arbitrary;
use cute_net::crypto::Key;
use cute_net::drop_reason::DropReason;
use cute_net::v1::packet::{
    Accepted, CHALLENGE_DATA_SIZE, Challenge, MAX_PAYLOAD_SIZE, MAX_SIZE, OVERHEAD, Packet, PacketType,
    SealedPacket, Side,
};
use cute_net::v1::replay::ReplayWindow;
use cute_net::v1::secretbox::{self, IV_SIZE, SIV_SIZE, Secretbox};
use cute_net_fuzz::damage::{Edit, damage};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    MadeUp {
        bytes: Vec<u8>,
    },
    Written {
        kind: u8,
        nonce: u64,
        payload: Vec<u8>,
        sequence: u64,
        iv: [u8; IV_SIZE],
        edits: Vec<Edit>,
    },
    Sealed {
        kind: u8,
        sequence: u64,
        content: Vec<u8>,
    },
}

/// Bytes that nothing authenticates: the type, and the zeroes after the sequence.
fn is_open(at: usize) -> bool {
    at == 0 || (9..OVERHEAD - secretbox::OVERHEAD).contains(&at)
}

/// The lowest byte of the sequence, and the last of the synthetic IV: to the cipher they are one (`v1/replay.rs`).
const TWINS: [usize; 2] = [1, OVERHEAD - secretbox::OVERHEAD + SIV_SIZE - 1];

/// True if `altered` opens as `wire` does, by the same key: it is the same but in what is open, or in the same bits of
/// both twins.
fn opens_like(wire: &[u8], altered: &[u8]) -> bool {
    let changes: Vec<u8> = wire.iter().zip(altered).map(|(one, other)| one ^ other).collect();
    let is_same = |at: usize| changes[at] == 0 || is_open(at) || TWINS.contains(&at);
    wire.len() == altered.len() && (0..wire.len()).all(is_same) && changes[TWINS[0]] == changes[TWINS[1]]
}

/// Reads a packet as `side` does, and opens it.
fn open<'a>(datagram: &'a mut [u8], side: Side, key: &Secretbox) -> Result<Packet<'a>, DropReason> {
    let first = datagram.first().copied();
    let packet = SealedPacket::read(side, datagram)?;
    let kind = packet.kind;
    assert_eq!(first.and_then(PacketType::of), Some(kind));
    packet.open(key).inspect(|packet| assert_eq!(packet.kind(), kind))
}

fuzz_target!(|input: Input| {
    let key = Secretbox::new(&Key::new([1; 32]));
    match input {
        Input::MadeUp { bytes } => {
            for side in [Side::Client, Side::Server] {
                let result = open(&mut bytes.clone(), side, &key).map(|packet| packet.kind());
                assert!(result.is_err(), "made-up bytes opened as {result:?}");
            }
        }
        Input::Written { kind, nonce, payload, sequence, iv, edits } => {
            let mut data = [0x5A; CHALLENGE_DATA_SIZE];
            data.iter_mut().zip(&payload).for_each(|(to, from)| *to = *from);
            let challenge = Challenge { nonce, data: &data };
            let [count, timeout] = [nonce as u32, (nonce >> 32) as u32];
            let (packet, side) = match kind % 7 {
                0 => {
                    let accepted =
                        Accepted { client_id: nonce, max_clients: count, connection_timeout: timeout };
                    (Packet::Accepted(accepted), Side::Client)
                }
                1 => (Packet::Denied, Side::Client),
                2 => (Packet::Keepalive, Side::Server),
                3 => (Packet::Disconnect, Side::Server),
                4 => (Packet::ChallengeRequest(challenge), Side::Client),
                5 => (Packet::ChallengeResponse(challenge), Side::Server),
                _ => (Packet::Payload(&payload), Side::Server),
            };
            let mut wire = vec![0; 2 * MAX_SIZE];
            let Some(size) = packet.seal(&key, sequence, &iv, &mut wire) else {
                assert!(payload.len() > MAX_PAYLOAD_SIZE);
                return;
            };
            wire.truncate(size);
            assert_eq!(open(&mut wire.clone(), side, &key), Ok(packet));

            // Who has taken the packet takes nothing that was made of it, whether it opens or not.
            let mut window = ReplayWindow::default();
            let mut taken = wire.clone();
            let taken = SealedPacket::read(side, &mut taken).unwrap();
            window.insert(taken.sequence, taken.tag());
            let mut altered = wire.clone();
            damage(&mut altered, &edits);
            for side in [Side::Client, Side::Server] {
                if let Ok(packet) = SealedPacket::read(side, &mut altered.clone()) {
                    let is_fresh = window.is_fresh(packet.sequence, packet.tag());
                    let opened = open(&mut altered.clone(), side, &key) != Err(DropReason::Forged);
                    assert_eq!(opened, opens_like(&wire, &altered), "what opens, and what should");
                    assert!(!is_fresh || !opened, "a replay");
                }
            }
        }
        Input::Sealed { kind, sequence, mut content } => {
            let front = key.seal(sequence, &[9; IV_SIZE], &mut content);
            let mut wire = vec![kind % 9];
            wire.extend_from_slice(&sequence.to_le_bytes());
            wire.resize(OVERHEAD - secretbox::OVERHEAD, 0);
            wire.extend_from_slice(&front);
            wire.extend_from_slice(&content);
            for side in [Side::Client, Side::Server] {
                if let Err(reason) = open(&mut wire.clone(), side, &key) {
                    assert_ne!(reason, DropReason::Forged);
                }
            }
        }
    }
});
