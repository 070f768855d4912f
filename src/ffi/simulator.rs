//! Simulated networks, for tests (the section SIMULATOR of `cute_net_x.h`).

use super::client::{cn_client_t, with_client};
use super::error::{cn_result_t, failure, internal_failure, success};
use super::server::{cn_server_t, with_server};
use super::versioned;
use crate::host::simulator_config;
use crate::simulator::SimulatorConfig;
use std::mem::offset_of;

/// How bad a simulated network is, in one direction. Set all to zero, then `size`, then what matters: zeros are
/// a perfect network.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct cnx_simulator_t {
    /// Set it to `sizeof(cnx_simulator_t)`: the struct may grow with later versions.
    pub size: u32,
    /// The queue of the bottleneck: bytes that may wait for it. More are lost; with 0, all that come while it is busy.
    pub queue_bytes: u32,
    /// Seconds that every datagram takes, 0 to 3600, by the `dt` passed to update.
    pub latency_seconds: f64,
    /// Seconds that it may take longer, evenly spread, 0 to 3600; later ones then overtake it.
    pub jitter_seconds: f64,
    /// The chance of a datagram to be lost, 0 to 1.
    pub drop_chance: f64,
    /// The chance of a datagram to come once more, 0 to 1.
    pub duplicate_chance: f64,
    /// The chance of a datagram to take 50 ms longer, so that later ones overtake it, 0 to 1.
    pub reorder_chance: f64,
    /// A bottleneck: bytes a second that get through, UDP payload; the rest waits in its queue. 0 or less is none.
    pub bytes_per_second: f64,
}

const _: () = {
    assert!(size_of::<cnx_simulator_t>() == 56);
    assert!(offset_of!(cnx_simulator_t, queue_bytes) == 4);
    assert!(offset_of!(cnx_simulator_t, latency_seconds) == 8);
    assert!(offset_of!(cnx_simulator_t, jitter_seconds) == 16);
    assert!(offset_of!(cnx_simulator_t, drop_chance) == 24);
    assert!(offset_of!(cnx_simulator_t, duplicate_chance) == 32);
    assert!(offset_of!(cnx_simulator_t, reorder_chance) == 40);
    assert!(offset_of!(cnx_simulator_t, bytes_per_second) == 48);
};

/// The network that a program describes; NULL is a perfect one. `name` is what the header calls it.
///
/// # Safety
/// `network` is NULL or points to a simulator whose size is set.
unsafe fn read(network: *const cnx_simulator_t, name: &str) -> Result<SimulatorConfig, cn_result_t> {
    if network.is_null() {
        return Ok(SimulatorConfig::default());
    }
    // SAFETY: the size of the struct is set.
    let network = unsafe { versioned::take(network, name, "cnx_simulator_t") }?;
    let simple = simulator_config(
        network.latency_seconds,
        network.jitter_seconds,
        network.drop_chance,
        network.duplicate_chance,
    );
    let reorder = simulator_config(0.0, 0.0, network.reorder_chance, 0.0).loss;
    // A cast of a float that is no number, or too large for one, is 0 or the largest.
    let rate = network.bytes_per_second as u64;
    let bottleneck = (rate > 0).then_some((rate, network.queue_bytes.into()));
    Ok(SimulatorConfig { reorder, bottleneck, ..simple })
}

/// Makes everything that a client sends and receives from now on go over simulated networks, for tests, in the
/// place of those of `cn_client_enable_network_simulator`; what is on its way, 64 MiB at most, stays so. `outgoing`
/// and `incoming` are copied; NULL is a perfect network, twice ends the simulation. The same `seed` loses, delays and
/// repeats the same datagrams of each direction.
///
/// Fails if `client` is NULL or a `size` is not set; then nothing changes. Numbers out of range count as the
/// nearest in range, what is not a number as 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_client_set_simulator(
    client: *mut cn_client_t,
    outgoing: *const cnx_simulator_t,
    incoming: *const cnx_simulator_t,
    seed: u64,
) -> cn_result_t {
    if client.is_null() {
        return failure(c"`client` is NULL.");
    }
    // SAFETY: the caller passes simulators whose size is set, or NULL.
    let networks = unsafe { (read(outgoing, "outgoing"), read(incoming, "incoming")) };
    let (outgoing, incoming) = match networks {
        (Ok(outgoing), Ok(incoming)) => (outgoing, incoming),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    // SAFETY: the caller passes a client.
    unsafe {
        with_client(client, internal_failure(), |client| {
            client.set_simulators(outgoing, incoming, seed);
            success()
        })
    }
}

/// Makes everything that a server sends and receives from now on go over simulated networks. See
/// `cnx_client_set_simulator`; one network of each direction carries the datagrams of all clients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cnx_server_set_simulator(
    server: *mut cn_server_t,
    outgoing: *const cnx_simulator_t,
    incoming: *const cnx_simulator_t,
    seed: u64,
) -> cn_result_t {
    if server.is_null() {
        return failure(c"`server` is NULL.");
    }
    // SAFETY: the caller passes simulators whose size is set, or NULL.
    let networks = unsafe { (read(outgoing, "outgoing"), read(incoming, "incoming")) };
    let (outgoing, incoming) = match networks {
        (Ok(outgoing), Ok(incoming)) => (outgoing, incoming),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    // SAFETY: the caller passes a server.
    unsafe {
        with_server(server, internal_failure(), |server| {
            server.set_simulators(outgoing, incoming, seed);
            success()
        })
    }
}
