//! A client's datagrams over functions of the program (the section WIRE of `cute_net_x.h`).

use super::client::{cn_client_t, with_client};
use super::error::{cn_result_t, failure, internal_failure, success};
use crate::host::Wire;
use std::ffi::{c_int, c_void};

/// Sends a datagram of `size` bytes, or loses it. What it returns is not looked at.
pub type cnx_wire_send_t =
    Option<unsafe extern "C" fn(udata: *mut c_void, data: *const c_void, size: c_int) -> c_int>;

/// Reads the next whole datagram into `data`, which has room for `size` bytes. Returns how many it has, 0 if
/// none waits, less than 0 on a failure; after either, the client asks again at its next update.
pub type cnx_wire_recv_t =
    Option<unsafe extern "C" fn(udata: *mut c_void, data: *mut c_void, size: c_int) -> c_int>;

/// A transport of the program's: datagrams of up to 1200 bytes, each of which may get lost, come twice or
/// out of order.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cnx_client_wire_t {
    /// The program's own, passed to both functions.
    pub udata: *mut c_void,
    /// Sends.
    pub send: cnx_wire_send_t,
    /// Receives.
    pub recv: cnx_wire_recv_t,
}

struct ProgramWire {
    udata: *mut c_void,
    send: unsafe extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int,
    recv: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
}

impl Wire for ProgramWire {
    fn send(&mut self, datagram: &[u8]) {
        // SAFETY: the program promises that its function may be called with its pointer; the bytes are there
        // during the call.
        unsafe { (self.send)(self.udata, datagram.as_ptr().cast(), datagram.len() as c_int) };
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        // SAFETY: as above; the buffer has the room that is named.
        let size = unsafe { (self.recv)(self.udata, buffer.as_mut_ptr().cast(), buffer.len() as c_int) };
        usize::try_from(size).ok().filter(|&size| size > 0)
    }
}

/// Makes a client's datagrams travel over functions of the program instead of UDP, from the next connection
/// on; a connection there is ends. `wire` is copied; NULL is UDP again. The servers of a token are then
/// names only: the wire leads to one. The functions are called during calls with this client alone, and must
/// not use it.
///
/// Fails if `client` or one of the functions is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_set_wire(
    client: *mut cn_client_t,
    wire: *const cnx_client_wire_t,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller passes a wire, or NULL.
    let wire = match unsafe { wire.as_ref() } {
        None => None,
        Some(&cnx_client_wire_t { udata, send: Some(send), recv: Some(recv) }) => {
            Some(Box::new(ProgramWire { udata, send, recv }) as Box<dyn Wire>)
        }
        Some(cnx_client_wire_t { send: None, .. }) => return failure(c"`wire->send` is NULL."),
        Some(_) => return failure(c"`wire->recv` is NULL."),
    };
    // SAFETY: the caller passes a client.
    unsafe {
        with_client(client, internal_failure(), |client| {
            client.set_wire(wire);
            success()
        })
    }
}
