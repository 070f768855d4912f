//! Keys and connect tokens (the header's section CONNECT TOKEN). The members of the key types are called
//! `key` by programs written for CF's header up to 2026-08-22, and `bytes` since.

use crate::ffi::crypto::{
    cn_crypto_generate_key, cn_crypto_random_bytes, cn_crypto_sign_keygen, cn_crypto_sign_public_t,
    cn_crypto_sign_secret_t, cn_generate_connect_token,
};
use crate::ffi::error::cn_result_t as CF_Result;
use std::ffi::{c_char, c_int, c_void};

/// A secret that seals the packets of one direction of one connection.
#[repr(C)]
#[derive(Clone, Copy)]
pub union CF_CryptoKey {
    /// The bytes of the key.
    pub key: [u8; 32],
    /// The same bytes.
    pub bytes: [u8; 32],
}

/// The half of a key pair that may be shown.
#[repr(C)]
#[derive(Clone, Copy)]
pub union CF_CryptoSignPublic {
    /// The bytes of the key.
    pub key: [u8; 32],
    /// The same bytes.
    pub bytes: [u8; 32],
}

/// The half of a key pair that only the web service and the game servers know. Whoever has it can mint
/// tokens.
#[repr(C)]
#[derive(Clone, Copy)]
pub union CF_CryptoSignSecret {
    /// The bytes of the key.
    pub key: [u8; 64],
    /// The same bytes.
    pub bytes: [u8; 64],
}

const _: () = assert!(size_of::<CF_CryptoSignPublic>() == size_of::<cn_crypto_sign_public_t>());
const _: () = assert!(size_of::<CF_CryptoSignSecret>() == size_of::<cn_crypto_sign_secret_t>());

/// `cn_crypto_generate_key`.
#[unsafe(no_mangle)]
pub extern "C" fn cf_crypto_generate_key() -> CF_CryptoKey {
    CF_CryptoKey { key: cn_crypto_generate_key().key }
}

/// `cn_crypto_random_bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_crypto_random_bytes(data: *mut c_void, byte_count: c_int) {
    // SAFETY: the caller passes what `cn_crypto_random_bytes` takes.
    unsafe { cn_crypto_random_bytes(data, byte_count) };
}

/// `cn_crypto_sign_keygen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_crypto_sign_keygen(
    public_key: *mut CF_CryptoSignPublic,
    secret_key: *mut CF_CryptoSignSecret,
) {
    // SAFETY: the caller passes what `cn_crypto_sign_keygen` takes; the types are the same bytes.
    unsafe { cn_crypto_sign_keygen(public_key.cast(), secret_key.cast()) };
}

/// `cn_generate_connect_token`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cf_generate_connect_token(
    application_id: u64,
    creation_timestamp: u64,
    client_to_server_key: *const CF_CryptoKey,
    server_to_client_key: *const CF_CryptoKey,
    expiration_timestamp: u64,
    handshake_timeout: u32,
    address_count: c_int,
    address_list: *mut *const c_char,
    client_id: u64,
    user_data: *const u8,
    shared_secret_key: *const CF_CryptoSignSecret,
    token_ptr_out: *mut u8,
) -> CF_Result {
    // SAFETY: the caller passes what `cn_generate_connect_token` takes; the key types are the same bytes.
    unsafe {
        cn_generate_connect_token(
            application_id,
            creation_timestamp,
            client_to_server_key.cast(),
            server_to_client_key.cast(),
            expiration_timestamp,
            handshake_timeout,
            address_count,
            address_list,
            client_id,
            user_data,
            shared_secret_key.cast(),
            token_ptr_out,
        )
    }
}
