//! Addresses as text: what is read is printed so that it is read again, and has one canonical form.
#![no_main]

use cute_net::endpoint::{Printed, canonical, octets, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(address) = parse(text) else { return };
    let printed = Printed(address).to_string();
    assert_eq!(parse(&printed), Ok(address), "{text:?} is printed as {printed:?}");
    let form = canonical(address);
    assert_eq!(canonical(form), form);
    assert_eq!(octets(form.ip()), octets(address.ip()));
});
