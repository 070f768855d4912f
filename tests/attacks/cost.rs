//! What an attack costs: memory that stays held, and time for each packet.

use crate::memory::live;
use cpu_time::ThreadTime;
use std::time::Duration;

/// What one connection may hold of what came, and the little that it costs besides.
pub const BUDGET: i64 = 34 << 20;
/// Far more processor time than any debug build needs for a packet, and far less than a loop over a claimed size.
const A_PACKET: Duration = Duration::from_millis(5);

/// The cost since an attack began.
pub struct Cost {
    before: i64,
    began: ThreadTime,
    /// How many packets it was made of.
    pub packets: u32,
}

impl Cost {
    pub fn from_now() -> Cost {
        Cost { before: live(), began: ThreadTime::now(), packets: 0 }
    }

    /// Bytes that are held more.
    pub fn bytes(&self) -> i64 {
        live() - self.before
    }

    /// It was low; the bytes.
    pub fn check(&self, budget: i64) -> i64 {
        let bytes = self.bytes();
        assert!(bytes < budget, "{bytes} bytes");
        let each = self.began.elapsed() / self.packets.max(100);
        assert!(each < A_PACKET, "{each:?} a packet");
        bytes
    }
}
