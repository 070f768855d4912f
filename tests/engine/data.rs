//! Messages.

use crate::world::{World, pattern};
use cute_net::message::Delivery;
use cute_net::simulator::SimulatorConfig;
use std::time::Duration;

#[test]
fn reliable_messages_arrive_once_and_in_order() {
    let mut world = World::connected(1, 1);
    for number in 0..100 {
        world.client_sends(0, Delivery::ReliableOrdered, &pattern(40, number));
        world.server_sends(0, Delivery::ReliableOrdered, &pattern(40, number));
    }
    world.run(Duration::from_secs(1));
    let expected: Vec<_> = (0..100).map(|number| pattern(40, number)).collect();
    let up: Vec<_> = world.servers[0].received.iter().map(|(_, _, bytes)| bytes.clone()).collect();
    let down: Vec<_> = world.clients[0].received.iter().map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(up.len(), 100);
    assert_eq!(up, expected);
    assert_eq!(down, expected);
}

#[test]
fn a_20_mib_message_arrives() {
    for loss in [0.0, 0.05] {
        let network = SimulatorConfig { latency: Duration::from_millis(20), loss, ..Default::default() };
        let mut world = World::connected_over(1, 1, network);
        let message = pattern(20 << 20, 5);
        world.client_sends(0, Delivery::ReliableOrdered, &message);
        let took = world.run_until(Duration::from_secs(300), |world| !world.servers[0].received.is_empty());
        assert!(world.servers[0].received[0].2 == message);
        eprintln!("loss {loss}: {took:?}");
        let took = {
            world.server_sends(0, Delivery::ReliableOrdered, &message);
            world.run_until(Duration::from_secs(300), |world| !world.clients[0].received.is_empty())
        };
        assert!(world.clients[0].received[0].1 == message);
        eprintln!("loss {loss}: {took:?}");
    }
}
