//! x
pub mod bytes;
pub mod crypto;
pub mod endpoint;
pub mod message;
pub mod range_set;
pub mod replay;
pub mod time;
pub mod token;
pub mod v2;
