//! The key pairs whose tokens a server accepts, of either protocol (the section KEYS of `cute_net_x.h`).

use super::crypto::{cn_crypto_sign_public_t, cn_crypto_sign_secret_t, keygen};
use super::error::{cn_result_t, failure, internal_failure, outcome, success};
use super::server::{cn_server_t, with_server};
use crate::crypto::key_pair::{PublicKey, SecretKey};
use crate::token::Version;

/// Makes a key pair as the original `cute_net.h` does: connections of tokens made with it speak CUTE 1.00,
/// which clients and servers of the original understand. Use `cn_crypto_sign_keygen` where there are none: CUTE
/// 2.00 is safer and needs fewer bytes. Does nothing if a pointer is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_crypto_sign_keygen_1_00(
    public_key: *mut cn_crypto_sign_public_t,
    secret_key: *mut cn_crypto_sign_secret_t,
) {
    // SAFETY: the caller passes room for each half, or NULL.
    unsafe { keygen(Version::V1, public_key, secret_key) };
}

/// Also lets those clients in whose tokens were made with this key pair, besides the pair the server was
/// created with: at once if the server runs, and after every start. A server can have 16 pairs, of CUTE 2.00
/// and of CUTE 1.00 (`cnx_crypto_sign_keygen_1_00`, or made by the original), and serves clients of both at one
/// port. So keys are replaced without a pause: add the new pair to the servers, make tokens with it, and remove
/// the old pair when its last token has expired.
///
/// Fails if a pointer is NULL, if the halves do not belong together, or if there are 16 pairs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_add_key(
    server: *mut cn_server_t,
    public_key: *const cn_crypto_sign_public_t,
    secret_key: *const cn_crypto_sign_secret_t,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    if public_key.is_null() {
        return failure(c"`public_key` is NULL.");
    }
    if secret_key.is_null() {
        return failure(c"`secret_key` is NULL.");
    }
    // SAFETY: the caller passes the halves of a pair.
    let (public, secret) = unsafe { (PublicKey((*public_key).key), SecretKey((*secret_key).key)) };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| outcome(server.add_key(&public, &secret)))
    }
}

/// Lets in no more clients whose tokens were made with the pair of this public key, be it the pair that the server was
/// created with. Who is connected stays so. A server without any pair lets nobody in.
///
/// Fails if a pointer is NULL, or if the server has no such pair.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_remove_key(
    server: *mut cn_server_t,
    public_key: *const cn_crypto_sign_public_t,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    if public_key.is_null() {
        return failure(c"`public_key` is NULL.");
    }
    // SAFETY: the caller passes a public key.
    let public = unsafe { PublicKey((*public_key).key) };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            if server.remove_key(&public) {
                success()
            } else {
                failure(c"The server has no key pair with this public key.")
            }
        })
    }
}
