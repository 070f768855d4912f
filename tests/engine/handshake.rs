//! Connecting: the ways in, and every way in which it fails.

use crate::world::{TICK, World, address};
use cute_net::client::ClientState;
use std::time::Duration;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn three_updates_of_the_client_connect_it() {
    let mut world = World::new(1);
    world.connect(9);
    for _ in 0..5 {
        world.step();
    }
    assert_eq!(
        world.clients[0].states,
        [
            ClientState::SendingConnectionRequest,
            ClientState::SendingChallengeResponse,
            ClientState::Connected
        ]
    );
    assert_eq!(world.events(), ["+0 9"]);
    assert_eq!(world.servers[0].server.user_data(0), Some(&[9; 256]));
}
