//! What the programs of a session may rely on: every message that a send call accepted, and whether what
//! arrives is one of them, at its turn.

use crate::sessions::draw::Draw;
use cute_net::message::{Delivery, Message};
use std::sync::LazyLock;

pub const DELIVERIES: [Delivery; 4] = [
    Delivery::ReliableOrdered,
    Delivery::ReliableUnordered,
    Delivery::Unreliable,
    Delivery::UnreliableSequenced,
];
pub const CHANNELS: u64 = 9;
/// The largest message of a session, and where in its pool a message may start.
pub const LARGEST: usize = 2 << 20;
const STARTS: u64 = 1 << 19;

/// Bytes that messages are cut from, for each delivery others: the lowest two bits name it.
static POOLS: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    let mut state = 1u64;
    std::array::from_fn(|delivery| {
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8 & !3 | delivery as u8
        };
        std::iter::repeat_with(next).take(LARGEST + STARTS as usize).collect()
    })
});

/// A message that was accepted.
pub struct Sent {
    pub id: u32,
    kind: usize,
    start: usize,
    size: usize,
    delivered: bool,
}

impl Sent {
    /// A message of `size` bytes. Its id, or its first byte on channel 0, says how it is to be delivered.
    pub fn new(draw: &mut Draw, channel: u8, kind: usize, size: usize) -> Sent {
        let id = (draw.below(1 << 32) >> draw.below(30)) as u32 & !3 | kind as u32;
        let id = if channel == 0 { 0 } else { id };
        Sent { id, kind, start: draw.below(STARTS) as usize, size, delivered: false }
    }

    pub fn bytes(&self) -> &'static [u8] {
        &POOLS[self.kind][self.start..self.start + self.size]
    }

    fn is(&self, message: &Message) -> bool {
        self.id == message.info().id && self.bytes() == message.payload()
    }
}

/// The messages of one direction of a connection.
#[derive(Default)]
pub struct Flow {
    /// By channel and delivery, in the order in which they were accepted.
    sent: [[Vec<Sent>; 4]; CHANNELS as usize],
    /// Nothing before this one may come any more.
    next: [[usize; 4]; CHANNELS as usize],
    /// Bytes accepted, of messages alone.
    pub bytes: usize,
    /// Messages accepted and not delivered.
    pub reliable_left: usize,
    pub unreliable_left: usize,
}

impl Flow {
    pub fn on_accepted(&mut self, channel: u8, sent: Sent) {
        self.bytes += sent.size;
        let reliable = DELIVERIES[sent.kind].is_reliable();
        *(if reliable { &mut self.reliable_left } else { &mut self.unreliable_left }) += 1;
        self.sent[usize::from(channel)][sent.kind].push(sent);
    }

    /// Checks a message off, or says what is wrong with it.
    pub fn on_delivered(&mut self, message: &Message) -> Result<(), String> {
        let info = message.info();
        let named = if info.channel == 0 { u32::from(message.payload()[0]) } else { info.id };
        let kind = (named & 3) as usize;
        let delivery = DELIVERIES[kind];
        let wrong = |why: &str| Err(format!("{info:?} of {} bytes, {delivery:?}: {why}", message.len()));
        if delivery.is_reliable() != info.reliable {
            return wrong("of the other kind");
        }
        let sent = &mut self.sent[usize::from(info.channel)][kind];
        let next = &mut self.next[usize::from(info.channel)][kind];
        let ordered = delivery == Delivery::ReliableOrdered;
        let waiting = sent.iter_mut().enumerate().skip(*next).filter(|(_, sent)| !sent.delivered);
        let turn = waiting.take(if ordered { 1 } else { usize::MAX });
        let Some((at, found)) = turn.into_iter().find(|(_, sent)| sent.is(message)) else {
            let known = sent.iter().position(|sent| sent.is(message));
            return wrong(&match known {
                None => "never sent like that".to_owned(),
                Some(at) => format!("number {at} came again or not at its turn, {next}"),
            });
        };
        found.delivered = true;
        *(if info.reliable { &mut self.reliable_left } else { &mut self.unreliable_left }) -= 1;
        match delivery {
            Delivery::UnreliableSequenced => *next = at + 1,
            _ => *next += sent[*next..].iter().take_while(|sent| sent.delivered).count(),
        }
        Ok(())
    }

    /// What is missing of the reliable messages, or of the others.
    pub fn missing(&self, reliable: bool) -> String {
        let mut text = String::new();
        for (channel, kinds) in self.sent.iter().enumerate() {
            for (kind, sent) in kinds.iter().enumerate() {
                if DELIVERIES[kind].is_reliable() != reliable {
                    continue;
                }
                let missing = sent.iter().filter(|sent| !sent.delivered).count();
                if missing > 0 {
                    let first = sent.iter().position(|sent| !sent.delivered).unwrap();
                    let (of, size) = (sent.len(), sent[first].size);
                    text += &format!(
                        "\n  channel {channel}, {:?}: {missing} of {of}, the first is number {first} of \
                         {size} bytes",
                        DELIVERIES[kind]
                    );
                }
            }
        }
        text
    }
}
