//! What single steps of a packet's way cost, in nanoseconds and, where valgrind is installed, in instructions,
//! which no other load on the machine changes. `cargo bench --bench micro`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use cute_net::bytes::Writer;
use cute_net::crypto::Key;
use cute_net::crypto::cipher::{Cipher, PacketCipher, TAG_SIZE};
use cute_net::crypto::random::Generator;
use cute_net::duration::Duration;
use cute_net::endpoint;
use cute_net::message::Delivery;
use cute_net::time::{Instant, Tick};
use cute_net::token::{PACKET_SIZE, TokenKeys, TokenRequest, USER_DATA_SIZE};
use cute_net::v1::secretbox::{OVERHEAD, Secretbox};
use cute_net::v1::signature;
use cute_net::v1::token::{self, TokenKey, TokenPacket};
use cute_net::v2::frame::{Frame, Frames};
use cute_net::v2::frame_writer::{FrameWriter, MessageHead};
use cute_net::v2::loss::LossDetector;
use std::hint::black_box;
use std::process::Command;

const SIZES: [usize; 3] = [32, 200, 1200];
/// What the cipher covers besides the text: version, application id, and the header of a client's packet.
const ASSOCIATED: [u8; 25] = [7; 25];
const TICK: Duration = Duration::from_millis(16);

/// A step, to be repeated so often.
type Step = Box<dyn Fn(u64)>;

fn seal(size: usize) -> Step {
    let cipher = Cipher::new(&Key::new([1; 32]));
    Box::new(move |times| {
        let mut text = vec![3; size];
        for number in 0..times {
            let mut nonce = [0; 12];
            nonce[..8].copy_from_slice(&number.to_le_bytes());
            black_box(cipher.seal(nonce, &ASSOCIATED, black_box(&mut text)));
        }
    })
}

fn open(size: usize) -> Step {
    let cipher = Cipher::new(&Key::new([1; 32]));
    let mut sealed = vec![3; size];
    let tag = cipher.seal([0; 12], &ASSOCIATED, &mut sealed);
    sealed.extend_from_slice(&tag);
    Box::new(move |times| {
        let mut packet = vec![0; size + TAG_SIZE];
        for _ in 0..times {
            packet.copy_from_slice(&sealed);
            assert!(cipher.open([0; 12], &ASSOCIATED, black_box(&mut packet)).is_some());
        }
    })
}

/// `ring` called with nothing around it.
#[cfg(ring_cipher)]
mod bare {
    use super::{ASSOCIATED, Step, black_box};
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

    fn key() -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[1; 32]).unwrap())
    }

    pub fn seal(size: usize) -> Step {
        let key = key();
        Box::new(move |times| {
            let mut text = vec![3; size];
            for number in 0..times {
                let mut nonce = [0; 12];
                nonce[..8].copy_from_slice(&number.to_le_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let text = black_box(&mut text);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(ASSOCIATED), text).unwrap();
                black_box(tag.as_ref());
            }
        })
    }

    pub fn open(size: usize) -> Step {
        let key = key();
        let mut sealed = vec![3; size];
        let nonce = || Nonce::assume_unique_for_key([0; 12]);
        key.seal_in_place_append_tag(nonce(), Aad::from(ASSOCIATED), &mut sealed).unwrap();
        Box::new(move |times| {
            let mut packet = vec![0; sealed.len()];
            for _ in 0..times {
                packet.copy_from_slice(&sealed);
                assert!(
                    key.open_in_place(nonce(), Aad::from(ASSOCIATED), black_box(&mut packet)).is_ok()
                );
            }
        })
    }
}

fn seal_1_00(size: usize) -> Step {
    let secretbox = Secretbox::new(&Key::new([1; 32]));
    Box::new(move |times| {
        let mut generator = Generator::new([2; 32]);
        let mut text = vec![3; size];
        for number in 0..times {
            black_box(secretbox.seal(number, &generator.bytes(), black_box(&mut text)));
        }
    })
}

fn open_1_00(size: usize) -> Step {
    let secretbox = Secretbox::new(&Key::new([1; 32]));
    let mut text = vec![3; size];
    let mut sealed = secretbox.seal(0, &[0; 20], &mut text).to_vec();
    sealed.extend_from_slice(&text);
    Box::new(move |times| {
        let mut packet = vec![0; size + OVERHEAD];
        for _ in 0..times {
            packet.copy_from_slice(&sealed);
            assert!(secretbox.open(0, black_box(&mut packet)).is_some());
        }
    })
}

/// A key pair of CUTE 1.00, and a token packet made with it.
fn token_packet() -> (TokenKey, [u8; PACKET_SIZE]) {
    let key = TokenKey::new(&signature::from_seed(&[1; 32]).1).unwrap();
    let keys = TokenKeys { client_to_server: Key::new([1; 32]), server_to_client: Key::new([2; 32]) };
    let request = TokenRequest {
        application_id: 1,
        creation: 0,
        expiration: 100,
        handshake_timeout: 5,
        keys: &keys,
        servers: &[endpoint::parse("10.0.0.1:5000").unwrap()],
        client_id: 1,
        user_data: &[0; USER_DATA_SIZE],
    };
    let packet = token::seal(&key, &request, [4; 20], [5; 32]);
    (key, packet)
}

/// A server takes a token packet apart, opens it and verifies its signature.
fn take_token_1_00() -> Step {
    let (key, packet) = token_packet();
    Box::new(move |times| {
        for _ in 0..times {
            let read = TokenPacket::read(black_box(&packet)).unwrap();
            assert!(read.open(&key).is_some());
        }
    })
}

/// It takes one apart that somebody made up, which does not open.
fn refuse_token_1_00() -> Step {
    let (key, mut packet) = token_packet();
    packet[700] ^= 1;
    Box::new(move |times| {
        for _ in 0..times {
            let read = TokenPacket::read(black_box(&packet)).unwrap();
            assert!(read.open(&key).is_none());
        }
    })
}

fn head(sequence: u16) -> MessageHead {
    MessageHead { channel: 0, delivery: Delivery::Unreliable, id: 0, sequence, fragment: None }
}

/// An ACK of three ranges, and ten messages of 40 bytes.
fn write_frames(buffer: &mut [u8]) -> usize {
    let mut writer = FrameWriter::new(buffer);
    writer.ack(Duration::from_millis(3), [90..=99, 70..=85, 0..=60].into_iter()).unwrap();
    for sequence in 0..10 {
        assert!(writer.message(&head(sequence), &[5; 40]));
    }
    writer.finish()
}

fn encode() -> Step {
    Box::new(|times| {
        let mut buffer = [0; 1200];
        for _ in 0..times {
            black_box(write_frames(black_box(&mut buffer)));
        }
    })
}

fn decode() -> Step {
    let mut buffer = [0; 1200];
    let length = write_frames(&mut buffer);
    Box::new(move |times| {
        for _ in 0..times {
            let frames = Frames::new(black_box(&buffer[..length]));
            assert_eq!(black_box(frames.filter(Result::is_ok).count()), 11);
        }
    })
}

/// Sixteen packets leave, and one ACK settles them.
fn acknowledge() -> Step {
    Box::new(|times| {
        let mut loss = LossDetector::new(Duration::from_millis(100));
        let mut tick = Tick::default();
        let mut now = Instant::ZERO;
        let mut buffer = [0; 64];
        for round in 0..times {
            now = now + TICK;
            tick.advance(now);
            for _ in 0..16 {
                loss.on_packet_sent(now, 300, true, &[]);
            }
            let last = (round + 1) * 16 - 1;
            let mut writer = FrameWriter::new(&mut buffer);
            writer.ack(Duration::ZERO, std::iter::once(last - 15..=last)).unwrap();
            let length = writer.finish();
            let Some(Ok(Frame::Ack(ack))) = Frames::new(&buffer[..length]).next() else {
                panic!("an ACK was written")
            };
            loss.on_ack(&ack, now, &tick, |_, _, _| {}).unwrap();
        }
    })
}

fn write_varints() -> Step {
    Box::new(|times| {
        let mut buffer = [0; 8];
        for number in 0..times {
            let mut writer = Writer::new(&mut buffer);
            writer.varint(black_box(number % 20_000));
            black_box(writer.finish());
        }
    })
}

fn steps() -> Vec<(String, Step)> {
    let mut steps = Vec::new();
    for size in SIZES {
        steps.push((format!("seal {size} B"), seal(size)));
        #[cfg(ring_cipher)]
        steps.push((format!("seal {size} B, ring alone"), bare::seal(size)));
        steps.push((format!("open {size} B"), open(size)));
        #[cfg(ring_cipher)]
        steps.push((format!("open {size} B, ring alone"), bare::open(size)));
        steps.push((format!("seal {size} B, CUTE 1.00"), seal_1_00(size)));
        steps.push((format!("open {size} B, CUTE 1.00"), open_1_00(size)));
    }
    steps.push(("take a token packet, CUTE 1.00".to_owned(), take_token_1_00()));
    steps.push(("refuse a made-up one".to_owned(), refuse_token_1_00()));
    steps.push(("write a packet's frames: ACK, 10 messages".to_owned(), encode()));
    steps.push(("read the same".to_owned(), decode()));
    steps.push(("16 packets out, one ACK of them in".to_owned(), acknowledge()));
    steps.push(("write a number of 1 to 4 bytes".to_owned(), write_varints()));
    steps
}

/// Nanoseconds of one, the least of a hundred measurements of a millisecond each: some are not interrupted, on a
/// busy machine too.
fn time(step: &Step) -> f64 {
    let measure = |times: u64| {
        let begin = std::time::Instant::now();
        step(times);
        begin.elapsed().as_nanos() as f64 / times as f64
    };
    let times = (1_000_000.0 / measure(100)).clamp(10.0, 20_000.0) as u64;
    (0..100).map(|_| measure(times)).fold(f64::INFINITY, f64::min)
}

/// Instructions of one, by callgrind: what more repetitions add. `None` without valgrind.
fn instructions(number: usize) -> Option<f64> {
    let count = |times: u64| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args(["--repeat", &number.to_string(), &times.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.split("Collected : ").nth(1)?.split_whitespace().next()?.parse::<f64>().ok()
    };
    Some((count(1100)? - count(100)?) / 1000.0)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--repeat") {
        let (_, step) = &steps()[arguments[at + 1].parse::<usize>().unwrap()];
        step(arguments[at + 2].parse().unwrap());
        return;
    }
    println!("{:<45} | {:>9} | {:>12}", "", "ns", "instructions");
    for (number, (name, step)) in steps().iter().enumerate() {
        let instructions = instructions(number).map_or("-".to_owned(), |count| format!("{count:.0}"));
        println!("{name:<45} | {:>9.1} | {instructions:>12}", time(step));
    }
}
